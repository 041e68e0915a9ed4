// std.transport. Covered by examples/papers/sinkhorn_sparse_newton.ml: that `lacking` is the derivative of `potential`, and that `sinkhorn`
// and `sparse_newton` find one plan.
precision f64

use std.transport.{
  plan, log_plan, potential, lacking, marginal_error, no_potentials, sinkhorn_step, sparse_newton_step, sinkhorn, sparse_newton,
}
use std.testing.gradients_match

let t = {cost: rand(4, 6), r: [0.1, 0.2, 0.3, 0.4], c: full(1.0 / 6.0, 6), eta: 15.0}
let v = {x: 0.1 * randn([4]), y: 0.1 * randn([6])}

test "plans" {
  assert close(plan(t, no_potentials(t)), exp(-15.0 * t.cost), 1e-12)
  assert close(log(plan(t, v)), log_plan(t, v), 1e-12)
  // A number that goes from x to y changes nothing.
  assert close(plan(t, {x: v.x + 0.3, y: v.y - 0.3}), plan(t, v), 1e-12)
}

test "derivatives" {
  let g = lacking(t, v)
  let d = grad(potential(t, v), wrt: v)
  assert close(g.x, d.x, 1e-12) and close(g.y, d.y, 1e-12)
  assert gradients_match(|x| potential(t, {x: x, y: v.y}), at: v.x)
  assert close(marginal_error(t, v), sum(abs(g.x)) + sum(abs(g.y)), 1e-12)
}

test "a step of Sinkhorn's meets the columns, and does not lower the potential" {
  let w = sinkhorn_step(t, v)
  assert close(sum(plan(t, w), axis: 0), t.c, 1e-12)
  assert potential(t, w) >= potential(t, v)
}

test "solutions" {
  let s = sinkhorn(t, v)
  let n = sparse_newton(t, v, 24, warm: 5)
  assert marginal_error(t, s.{x, y}) <= 1e-11 and marginal_error(t, n.{x, y}) <= 1e-11
  assert close(plan(t, s.{x, y}), plan(t, n.{x, y}), 1e-9)
  assert n.steps < s.steps and n.products > 0
  // From the solution there is nothing to do.
  assert sinkhorn(t, s.{x, y}).steps == 0
  assert sinkhorn(t, v, max: 3).steps == 3
}

test "with all entries a step of Newton's is quadratic near the solution" {
  let s = sinkhorn(t, v).{x, y}
  let near = {x: s.x + 1e-3 * randn([4]), y: s.y + 1e-3 * randn([6])}
  let after = sparse_newton_step(t, near, 24, precision: 1e-10).{x, y}
  assert marginal_error(t, after) < 0.05 * marginal_error(t, near)
}
