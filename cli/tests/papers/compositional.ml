// std.compositional. Covered by examples/papers/meco.ml: that `log_mean` with the true mean has an unbiased derivative, which that of
// a batch's own mean has not.
precision f64

use std.compositional.{tracked, log_mean, negative_log_likelihood, noise_contrastive}
use std.testing.gradients_match

let log_w = [0.3, -1.0, 2.0]

test "a running mean" {
  let u = exp(tracked(log(2.0), log_w, 0.25))
  assert close(u, 0.75 * 2.0 + 0.25 * mean(exp(log_w)), 1e-12)
  // Once where it belongs it stays.
  assert close(tracked(logmeanexp(log_w), log_w, 0.1), logmeanexp(log_w), 1e-12)
  let l = log_w
  assert close(grad(tracked(0.0, l, 0.5), wrt: l), zeros(3), 0.0)
}

test "the logarithm of a mean" {
  let (l, u) = (log_w, 0.7)
  assert log_mean(l, u) == 0.7
  assert close(grad(log_mean(l, u), wrt: l), exp(log_w - 0.7) / 3.0, 1e-12)
  assert grad(log_mean(l, u), wrt: u) == 0.0
  // At the batch's own mean it is the derivative of that's logarithm.
  assert close(grad(log_mean(l, logmeanexp(log_w)), wrt: l), softmax(log_w), 1e-12)
}

test "likelihood" {
  let l = [1.0, 2.0]
  assert close(negative_log_likelihood(l, log_w, 0.7), 0.7 - 1.5, 1e-12)
  assert close(grad(negative_log_likelihood(l, log_w, 0.7), wrt: l), [-0.5, -0.5], 1e-12)
}

test "contrast" {
  // Where the model is the noise, and c its factor, nothing can be told.
  let (a, b) = ([0.1, -0.3], [0.5, 0.2])
  assert close(noise_contrastive(a + 0.4, a, b + 0.4, b, 0.4), 2.0 * log(2.0), 1e-12)
  assert gradients_match(|f| noise_contrastive(f, a, b, b - 0.1, 0.2), at: [0.3, 1.0])
  let c = 0.4
  assert close(grad(noise_contrastive(a + 0.4, a, b + 0.4, b, c), wrt: c), 0.0, 1e-12)
}
