// std.boosting. Covered by examples/papers/gbnn.ml: `line_search` and `best_constant` by closed forms, and that the sum of layers is one.
precision f64

use std.boosting.{layer, joined, line_search, best_constant, fitted_layer, boosted, staged}
use std.optim.adam

let x = for i in 0..60 { randn([2]) }
let y = sin(2.0 * x[.., 0]) + x[.., 1]

fn half_square(f, t) = 0.5 * (f - t)^2

test "a layer" {
  let p = {w: [[1.0, 0.0], [0.0, 2.0]], b: [0.0, 0.5], a: [2.0, -1.0], c: 0.25}
  assert close(layer(p, [0.3, -0.2]), 2.0 * tanh(0.3) - tanh(0.1) + 0.25, 1e-12)
}

test "steps along a direction" {
  let h = randn([60])
  assert close(line_search(half_square, y, zeros(60), h), dot(y, h) / dot(h, h), 1e-9)
  assert close(best_constant(half_square, y), mean(y), 1e-9)
}

test "a fitted layer" {
  let p = fitted_layer(x, y, 6, adam(lr: 0.03), 300)
  assert mean(square((for v in x { layer(p, v) }) - y)) < 0.1 * var(y)
}

test "boosting" {
  let n = boosted(half_square, x, y, 5, 3, adam(lr: 0.03), nu: 0.7, steps: 200)
  assert all(shape(n.layers.w) == [5, 2, 3])
  assert close(n.start, mean(y), 1e-9)
  let losses = for f in n.fitted { mean(square(f - y)) }
  assert all(diff(losses) < 0.0) and losses[-1] < 0.1 * var(y)
  assert close(staged(n, x), n.fitted, 1e-9)
  let all_at_once = joined(n.layers)
  assert close((for v in x { n.start + layer(all_at_once, v) }), n.fitted[-1], 1e-9)
}
