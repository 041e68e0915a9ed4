// std.refinement. Covered by examples/papers/lr_refine.ml: `refined` for lengths that stay the same and for long ones at the start, that
// it makes `last_iterate_bound` least, `median_filter`, and `looked_up` as a schedule of a stage.
precision f64

use std.refinement.{windows, median_filter, rms_filter, odd_below, last_iterate_bound, refined, looked_up}
use std.testing.gradients_match

let x = [1.0, 9.0, 2.0, 3.0, 8.0]

test "windows" {
  assert close(windows(x, 3), [[9.0, 1.0, 9.0], [1.0, 9.0, 2.0], [9.0, 2.0, 3.0], [2.0, 3.0, 8.0], [3.0, 8.0, 3.0]], 0.0)
  assert all(shape(windows(x, 9)) == [5, 9])
  assert close(windows(x, 1)[.., 0], x, 0.0)
}

test "filters" {
  assert close(median_filter(x, 1), x, 0.0) and close(rms_filter(x, 1), x, 1e-12)
  assert close(median_filter(x, 3), median(windows(x, 3), axis: 1), 0.0)
  assert close(rms_filter(x, 3)[1], sqrt((1.0 + 81.0 + 4.0) / 3.0), 1e-12)
  assert close(rms_filter(full(2.0, 6), 5), full(2.0, 6), 1e-12)
}

test "odd numbers" { assert odd_below(7) == 7 and odd_below(8) == 7 and odd_below(1) == 1 and odd_below(0) == 1 }

test "the bound" {
  assert close(last_iterate_bound([0.5, 0.5], [2.0, 4.0], 3.0), (9.0 + 1.0 + 4.0) / 2.0, 1e-12)
  assert gradients_match(|w| last_iterate_bound(w, [2.0, 4.0, 1.0], 3.0), at: [0.2, 0.5, 0.3])
}

test "schedules" {
  let lengths = exp(randn([40]))
  let r = refined(lengths)
  assert max(r) == 1.0 and r[-1] == 0.0 and min(r) >= 0.0
  // Only the proportions of lengths count.
  assert close(refined(5.0 * lengths), r, 1e-9)
  // What is below the floor is taken for that.
  assert close(refined([1.0, 1e-9, 1.0], tau: 0.0, floor: 0.5), refined([1.0, 0.5, 1.0], tau: 0.0, floor: 0.5), 1e-12)
  let s = looked_up(r, peak: 2.0)
  assert s(0) == 2.0 * r[0] and s(39) == 0.0 and s(1000) == 0.0
}
