// The Kalman filter as a `scan`: position and velocity, of which the position is seen with noise. Its log likelihood is
// that of the joint normal distribution of all observations; its derivative learns both noise levels. Runs in a moment.

precision f64

use std.linalg.{eye, diagonal, cho_solve}
use std.testing.gradients_match
use std.optim.adam

let n = 60
let move = [[1.0, 1.0], [0.0, 1.0]]
let see = [1.0, 0.0]

param drift = 0.0
param noise = 0.0

/// Observations from standard normal noise: two numbers for the start, then at each time two for the state and one for
/// the eye.
fn simulate(start: real[2], e: real[n, 3], drift, noise) {
  let (_, ys) = scan (x = start) for r in e {
    let x1 = move @ x + exp(drift) * r[0..2]
    next x = x1
    yield dot(see, x1) + exp(noise) * r[2]
  }
  ys
}

/// log p(y): the sum of log densities of each observation given those before it.
fn filtered(ys: real[n], drift, noise) {
  let (_, parts) = scan (m = zeros(2), p = eye(2)) for y in ys {
    let m1 = move @ m
    let p1 = move @ p @ transpose(move) + exp(2.0 * drift) * eye(2)
    let s = dot(see, p1 @ see) + exp(2.0 * noise)
    let gain = p1 @ see / s
    let r = y - dot(see, m1)
    next m = m1 + gain * r
    next p = p1 - s * outer(gain, gain)
    yield -0.5 * (r^2 / s + log(2.0 * pi * s))
  }
  sum(parts)
}

/// The same from the joint covariance J J', J the Jacobian of the simulator, which is linear in its noise.
fn joint(ys: real[n], drift, noise) {
  let e = zeros(2 + 3 * n)
  let j = jacobian(simulate(e[0..2], reshape(e[2..], n, 3), drift, noise), wrt: e)
  let l = cholesky(j @ transpose(j))
  -0.5 * dot(ys, cho_solve(l, ys)) - sum(log(diagonal(l))) - 0.5 * real(n) * log(2.0 * pi)
}

let ys = with_key(7) simulate(randn([2]), randn([n, 3]), log(0.3), log(2.0))

stage fit = train for 400 steps {
  maximize filtered(ys, drift, noise) over drift, noise using adam(lr: 0.05)
}

stage result = compute after fit {
  log drift = exp(drift), noise = exp(noise), log_likelihood = filtered(ys, drift, noise)
  log log_likelihood_of_truth = filtered(ys, log(0.3), log(2.0))
}

test "the filter's likelihood and derivatives are those of the joint density, and of finite differences" {
  let (a, b) = (-0.5, 0.3)
  assert close(filtered(ys, a, b), joint(ys, a, b), 1e-9)
  let (da, db) = grad(filtered(ys, a, b), wrt: (a, b))
  let (ja, jb) = grad(joint(ys, a, b), wrt: (a, b))
  assert close(da, ja, 1e-8)
  assert close(db, jb, 1e-8)
  assert gradients_match(|t| filtered(ys, t[0], t[1]), [-0.5, 0.3])
}

test "the fitted noise is likelier than the true one, and near it" {
  assert result.log.log_likelihood[0] >= result.log.log_likelihood_of_truth[0]
  assert close(fit.drift, log(0.3), 0.7)
  assert close(fit.noise, log(2.0), 0.4)
}
