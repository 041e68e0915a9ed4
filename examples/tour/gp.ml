// Gaussian process regression with a learned kernel (Rasmussen and Williams 2006, equations 2.25 to 2.30, 5.9): length
// scale, amplitude and noise maximise the log marginal likelihood, written with a Cholesky factor. Runs in a second.

precision f64

use std.linalg.{eye, diagonal, trace, inverse, cho_solve}
use std.optim.adam

let n = 40
let xs = linspace(-3.0, 3.0, n)
let ys = sin(2.0 * xs) + 0.1 * cos(37.0 * real(iota(n))^2)

param scale = 0.0
param amplitude = 0.0
param noise = -1.0

/// The squared exponential kernel of two sets of points. All in `h` are logarithms.
fn kernel(a: real[p], b: real[q], h) = for x in a { exp(2.0 * h.amplitude - 0.5 * square((x - b) / exp(h.scale))) }

fn covariance(h) = kernel(xs, xs, h) + exp(2.0 * h.noise) * eye(n)

/// log N(y; 0, K + s^2 I)
fn evidence(h) {
  let l = cholesky(covariance(h))
  -0.5 * dot(ys, cho_solve(l, ys)) - sum(log(diagonal(l))) - 0.5 * n * log(2.0 * pi)
}

/// Mean and standard deviation of the function at `x`.
fn posterior(x: real[p], h) {
  let l = cholesky(covariance(h))
  let k = kernel(x, xs, h)
  let v = solve_triangular(l, transpose(k))
  (k @ cho_solve(l, ys), sqrt(exp(2.0 * h.amplitude) - sum(square(v), axis: 0)))
}

stage fit = train for 600 steps {
  maximize evidence({scale, amplitude, noise}) over scale, amplitude, noise using adam(lr: |t| 0.1 * 0.985^real(t))
}

stage result = compute after fit {
  let h = {scale, amplitude, noise}
  log evidence = evidence(h), slope = norm(grad(evidence(h), wrt: h))
  log length_scale = exp(scale), amplitude = exp(amplitude), noise = exp(noise)
  let (mean_at, sd_at) = posterior([0.0, pi / 4.0, 5.0], h)
  log at = [0.0, pi / 4.0, 5.0], mean = mean_at, sd = sd_at
}

test "the gradient is 0.5 tr((a a' - K^-1) dK), a = K^-1 y" {
  let h = {scale: 0.1, amplitude: 0.2, noise: -1.0}
  let (k, inv) = (kernel(xs, xs, h), inverse(covariance(h)))
  let a = inv @ ys
  let m = 0.5 * (outer(a, a) - inv)
  let g = grad(evidence(h), wrt: h)
  let squares = for x in xs { square((x - xs) / exp(h.scale)) }
  assert close(g.scale, trace(m @ (k * squares)), 1e-8)
  assert close(g.amplitude, trace(m @ (2.0 * k)), 1e-8)
  assert close(g.noise, trace(m) * 2.0 * exp(2.0 * h.noise), 1e-8)
}

test "without noise the mean goes through the data" {
  let (mean_at, sd_at) = posterior(xs, {scale: -2.0, amplitude: 0.0, noise: -9.0})
  assert close(mean_at, ys, 1e-6)
  assert max(sd_at) < 1e-3
}

test "trained: a maximum, whose mean is near the curve and whose doubt grows away from the data" {
  assert result.log.slope[0] < 1e-4
  assert close(result.log.mean[0][0..2], [0.0, 1.0], 0.1)
  assert result.log.sd[0][2] > 10.0 * result.log.sd[0][0]
}
