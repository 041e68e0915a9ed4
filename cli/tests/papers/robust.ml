// std.robust. Covered by examples/papers/subgm_robust.ml: `absolute_slope` by the derivative of `absolute_loss`, `sign_mean` by its limit,
// and what `recovered` finds in spite of gross errors.
precision f64

use std.robust.{measured, absolute_loss, absolute_slope, sign_mean, recovered, relative_error}

let a = for i in 0..120 { randn([4, 4]) }
let truth = outer([1.0, 0.0, -1.0, 0.5], [1.0, 0.0, -1.0, 0.5])
let y = for m in a { dot(m, truth) }

test "measurements" {
  let u = randn([4, 2])
  assert close(measured(a, u), for m in a { dot(m, u @ u.T) }, 1e-12)
  assert close(absolute_loss(a, y, u), mean(abs(measured(a, u) - y)), 1e-12)
  assert close(absolute_slope(a, y, u), grad(absolute_loss(a, y, u), wrt: u), 1e-12)
}

test "the mean of signs" {
  let r = randn([120])
  assert close(sign_mean(a, r), mean(for (m, s) in (a, r) { sign(s) * m }, axis: 0), 1e-12)
  assert close(sign_mean(a, -r), -sign_mean(a, r), 0.0) and close(sign_mean(a, 7.0 * r), sign_mean(a, r), 0.0)
}

test "recovery" {
  let wrong = for (v, i) in (y, 0..120) { if mod(i, 8) == 0 { v + 10.0 } else { v } }
  let first = 1e-3 * randn([4, 3])
  let r = recovered(a, wrong, first, 1000, watch: |u| relative_error(u @ u.T, truth))
  assert len(r.watched) == 1000 and r.watched[-1] < 1e-3 and r.watched[0] > 0.9
  // A step by hand.
  assert close(recovered(a, wrong, first, 1, eta: 0.1).u, first - 0.1 * absolute_slope(a, wrong, first), 1e-12)
}

test "errors" { assert close(relative_error(1.5 * truth, truth), 0.5, 1e-12) and relative_error(truth, truth) == 0.0 }
