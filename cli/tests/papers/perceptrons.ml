// std.perceptrons. Covered by examples/papers/lr_perceptron.ml: that `logistic_step` becomes `perceptron_step`, by `iterates`, and how
// many steps `until_separated` takes.
precision f64

use std.perceptrons.{
  logistic_direction, logistic_step, normalized_logistic_step, perceptron_step, separates, until_separated, iterates,
}

let a = [[1.0, 2.0], [-0.5, 1.0], [2.0, -1.0]]
let w = [0.3, -0.2]

fn loss(w) = mean(softplus(-(a @ w)))

test "directions" {
  assert close(logistic_direction(a, w), -grad(loss(w), wrt: w), 1e-12)
  assert close(logistic_step(a, w, 0.5), w + 0.5 * logistic_direction(a, w), 1e-12)
  // The normalized step goes along the derivative of -log mean sigmoid, so its length does not fade.
  let far = 1e3 * until_separated(perceptron_step, a).w
  let d = normalized_logistic_step(a, far, 1.0) - far
  assert norm(d) > 0.1 and norm(logistic_direction(a, far)) < 1e-6
}

test "perceptron steps" {
  // Nothing is on its side at 0, where all count half.
  assert close(perceptron_step(a, zeros(2)), 0.5 * mean(a, axis: 0), 1e-12)
  // Only the second row is on the wrong side.
  assert close(perceptron_step(a, [1.0, 0.1]), [1.0, 0.1] + a[1] / 3.0, 1e-12)
}

test "separation" {
  assert separates(a, [1.0, 1.0]) and not separates(a, w) and not separates(a, zeros(2))
  let r = until_separated(perceptron_step, a)
  assert separates(a, r.w)
  let ws = iterates(perceptron_step, a, 20)
  assert close(ws[r.steps - 1], r.w, 1e-12) and len(ws) == 20
  // Rows that no plane separates.
  assert until_separated(perceptron_step, [[1.0, 0.0], [-1.0, 0.0]], max: 50).steps == 50
}
