// Hessians of expectations, by differentiating twice, against quadrature and sums. `unbiased` errs with a probability of at most
// 1e-9 each way. // slow by the interpreter
precision f64

use std.dist.{normal, bernoulli}
use std.estimators.{reparam, reinforce, enumerate, average, leave_one_out}
use std.testing.unbiased
use std.vi.{elbo, iwelbo, vr_iwae, chi}

let at = [0.4, 0.8]

/// E f(z) for z from N(m, s^2): the trapezoid rule over 12 standard deviations on both sides.
fn mean_of(f, m, s) {
  let h = 24.0 / 400.0
  sum(for i in 0..401 {
    let e = -12.0 + h * real(i)
    h * exp(-0.5 * e * e) / sqrt(2.0 * pi) * f(m + s * e)
  })
}

/// The Hessian of E f(z; v) for z from N(v[0], v[1]^2), and its estimate.
fn truth(f) {
  let v = at + 0.0
  hessian(mean_of(|z| f(z, v), v[0], v[1]), wrt: v)
}

fn estimate(f, strategy) {
  let v = at + 0.0
  hessian(
    expect {
      z ~ normal(v[0], v[1]) via strategy
      f(z, v)
    },
    wrt: v
  )
}

fn wave(z, v) = sin(z) + 0.3 * z^3
fn bump(z, v) = exp(-z * z)
fn own(z, v) = v[0] * v[1] * z * z + v[1]^3 * z

fn right(f, strategy) = unbiased(|_| estimate(f, strategy), truth: truth(f), precision: 0.05)

test "reparameterised" {
  assert right(wave, reparam)
  assert right(bump, reparam)
  assert right(own, reparam)
}

test "by the score" {
  let several = average(n: 8, inner: reinforce(baseline: leave_one_out))
  assert unbiased(|_| estimate(wave, several), truth: truth(wave), precision: 0.2)
  assert right(bump, reinforce)
  assert unbiased(|_| estimate(own, reinforce(baseline: 0.3)), truth: truth(own), precision: 0.1)
  assert right(bump, average(n: 4, inner: reinforce))
}

test "a planted factor is caught" {
  assert unbiased(|_| 1.1 * estimate(bump, reparam), truth: truth(bump), precision: 0.05).biased
  assert unbiased(|_| 1.1 * estimate(bump, reinforce), truth: truth(bump), precision: 0.05).biased
}

/// The Hessian of a function of two sites that depend on one another; by enumeration it is exact.
fn chain(v, first, second) = expect {
  a ~ bernoulli(logits: v[0]) via first
  b ~ bernoulli(logits: v[1] * a - v[0]) via second
  exp(a + v[0] * b) * (1.0 + v[1] * a * b)
}

/// The same by the definition of the mean.
fn summed(v) {
  let p = sigmoid(v[0])
  let (q, r) = (sigmoid(v[1] - v[0]), sigmoid(-v[0]))
  (1.0 - p) * (1.0 - r) + (1.0 - p) * r * exp(v[0]) + p * (1.0 - q) * exp(1.0) + p * q * exp(1.0 + v[0]) * (1.0 + v[1])
}

test "enumerated" {
  let v = at + 0.0
  let truth = hessian(summed(v), wrt: v)
  assert close(chain(v, enumerate, enumerate), summed(v), 1e-12)
  assert close(hessian(chain(v, enumerate, enumerate), wrt: v), truth, 1e-11)
  assert unbiased(|_| hessian(chain(v, enumerate, reinforce), wrt: v), truth: truth)
  assert unbiased(|_| hessian(chain(v, reinforce, enumerate), wrt: v), truth: truth)
  assert unbiased(|_| hessian(chain(v, reinforce, reinforce), wrt: v), truth: truth, precision: 0.06)
}

test "a plate, lane by lane" {
  let v = at + 0.0
  let drifts = linspace(-1.0, 1.0, 5)
  fn plate(strategy) = expect {
    sum(for d in drifts {
      a ~ bernoulli(logits: v[0] + d * v[1]) via strategy
      exp(a * v[1])
    })
  }
  let exact = sum(for d in drifts {
    let p = sigmoid(v[0] + d * v[1])
    1.0 - p + p * exp(v[1])
  })
  let truth = hessian(exact, wrt: v)
  assert close(hessian(plate(enumerate), wrt: v), truth, 1e-11)
  assert unbiased(|_| hessian(plate(reinforce), wrt: v), truth: truth, precision: 0.06)
}

model p() {
  z ~ normal(0.0, 1.0)
  x ~ normal(z, 1.0)
}

model q(v, strategy) { z ~ normal(v[0], v[1]) via strategy }

test "bounds" {
  let v = at + 0.0
  fn r(z) = normal(0.0, 1.0).logpdf(z) + normal(z, 1.0).logpdf(1.0) - normal(v[0], v[1]).logpdf(z)
  let target = p() given {x: 1.0}
  let elbo_truth = hessian(mean_of(r, v[0], v[1]), wrt: v)
  assert unbiased(|_| hessian(elbo(target, q(v, reparam)), wrt: v), truth: elbo_truth, precision: 0.05)
  assert unbiased(|_| hessian(elbo(target, q(v, reinforce)), wrt: v), truth: elbo_truth, precision: 0.1)
  fn two(f) = mean_of(|y| mean_of(|z| f([r(y), r(z)]), v[0], v[1]), v[0], v[1])
  let weighted = hessian(two(logmeanexp), wrt: v)
  assert unbiased(|_| hessian(iwelbo(target, q(v, reparam), 2), wrt: v), truth: weighted, precision: 0.05)
  assert unbiased(|_| hessian(iwelbo(target, q(v, reinforce), 2), wrt: v), truth: weighted, precision: 0.1)
  let powers = hessian(two(|w| 2.0 * logmeanexp(0.5 * w)), wrt: v)
  assert unbiased(|_| hessian(vr_iwae(target, q(v, reparam), 0.5, 2), wrt: v), truth: powers, precision: 0.05)
  let moment = hessian(mean_of(|z| exp(2.0 * (r(z) + 1.5)), v[0], v[1]), wrt: v)
  assert unbiased(|_| hessian(chi(target, q(v, reparam), shift: -1.5), wrt: v), truth: moment, precision: 0.05)
}
