// std.spherical. Covered by examples/papers/z_loss_spherical.ml: that `z_loss` does not change by shift and scale, that losses of `summary`
// are those of all outputs, and that `factored_step` is the step of the whole for four losses.
precision f64

use std.spherical.{
  summary, z_loss, z_of, taylor_softmax, spherical_softmax, squared_error, cross_entropy, rank_of, factored, unfactored, factored_summary,
  factored_step,
}
use std.testing.gradients_match

let o = [0.3, -1.0, 2.0, 0.7]

test "what a loss reads" {
  let t = summary(o, 2)
  assert t.right == 2.0 and close(t.q, 5.58, 1e-12) and close(t.s, 2.0, 1e-12) and t.classes == 4.0
  assert close(z_of(t), (2.0 - mean(o)) / std(o), 1e-12)
  assert close(z_of(summary(3.0 * o - 1.0, 2)), z_of(t), 1e-12)
}

test "losses" {
  let taylor = 1.0 + o + 0.5 * square(o)
  assert close(taylor_softmax(summary(o, 1)), -log(taylor[1] / sum(taylor)), 1e-12)
  let squares = square(o) + 0.1
  assert close(spherical_softmax(0.1)(summary(o, 1)), -log(squares[1] / sum(squares)), 1e-12)
  assert close(squared_error(summary(o, 1)), 0.5 * sqnorm(o - real(one_hot(1, 4))), 1e-12)
  assert close(cross_entropy(o, 1), -log_softmax(o)[1], 1e-12)
  assert close(z_loss(2.0, 1.5)(summary(o, 2)), softplus(2.0 * (1.5 - z_of(summary(o, 2)))) / 2.0, 1e-12)
  assert gradients_match(|o| z_loss(1.0, 2.0)(summary(o, 0)) + taylor_softmax(summary(o, 1)) + cross_entropy(o, 3), at: o)
}

test "ranks" { assert rank_of(o, 2) == 0 and rank_of(o, 0) == 2 and rank_of(zeros(4), 1) == 0 }

test "factors" {
  let w = for i in 0..6 { randn([3]) }
  let h = randn([3])
  let t = factored(w)
  assert close(unfactored(t), w, 1e-12)
  let (a, b) = (factored_summary(t, h, 4), summary(w @ h, 4))
  assert close(stack([a.right - b.right, a.q - b.q, a.s - b.s, a.classes - b.classes]), zeros(4), 1e-12)
  // A step, and one after it.
  let once = after(t, h, 4)
  let twice = after(once, [0.2, 0.4, -1.0], 0)
  let direct = whole(whole(w, h, 4), [0.2, 0.4, -1.0], 0)
  assert close(unfactored(twice), direct, 1e-9) and close(twice.gram, direct.T @ direct, 1e-9)
  assert close(twice.total, sum(direct, axis: 0), 1e-9) and close(twice.u @ twice.inverse, real(one_hot(iota(3), 3)), 1e-9)
  assert close(factored_step(t, squared_error, h, 4, 0.1).by_h, grad(squared_error(summary(w @ h, 4)), wrt: h), 1e-12)
}

/// A loss that looks at all that a summary has.
fn spread_error(t) = squared_error(t) + taylor_softmax(t)

fn after(t, h, c) {
  let s = factored_step(t, spread_error, h, c, 0.1)
  {v: put(t.v, c, s.row), ..s.except{row, by_h}}
}

fn whole(w, h, c) = w - 0.1 * grad(spread_error(summary(w @ h, c)), wrt: w)
