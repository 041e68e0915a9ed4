// Sites in a `scan` with `checkpoint`: what they draw, what their values are and how they are scored does not depend on it.
precision f64

use std.dist.{normal, bernoulli}
use std.estimators.{reinforce, reparam}
use std.testing.unbiased
use std.vi.elbo

model walk(k) {
  scan (at = 0.0) for i in 0..8, checkpoint: k {
    step ~ normal(at, 1.0)
    inner ~ seen(step)
    next at = step
  }
}

model seen(x) { y ~ normal(x, 0.5) }

/// What is drawn has a row for each iteration, in its place, and its density is that without `checkpoint`.
fn agrees(k) {
  let (t, w) = sample(walk(k))
  if shape(t.step)[0] != 8 or shape(t.inner.y)[0] != 8 { refuse("rows are missing") }
  let y = linspace(0.0, 1.0, 8)
  let observed = walk(k) given {inner: {y: y}}
  let steps = concat([0.0], t.step[..7])
  let by_hand = sum(normal(steps, 1.0).logpdf(t.step)) + sum(normal(t.step, 0.5).logpdf(y))
  let scored = close(logdensity(walk(k), t), w, 1e-12) and close(logdensity(walk(1), t), w, 1e-12)
  scored and close(logdensity(observed, {step: t.step}), by_hand, 1e-12)
}

test "values and densities" {
  assert agrees(1)
  assert agrees(2)
  assert agrees(3)
  assert agrees(8)
}

/// The mean of (x1 + .. + x5)^2 where each x is 1 with probability p, and otherwise 0: 5 p + 20 p^2.
fn counted(p, k, e) = expect {
  let n = scan (n = 0.0) for i in 0..5, checkpoint: k {
    z ~ bernoulli(p) via e
    next n = n + z
  }
  n * n
}

/// The mean of the square of a sum of five normal numbers of mean m and deviation s: 25 m^2 + 5 s^2.
fn summed(m, s, k, e) = expect {
  let n = scan (n = 0.0) for i in 0..5, checkpoint: k {
    z ~ normal(m, s) via e
    next n = n + z
  }
  n * n
}

// Each test errs with probability 1e-6.
test "derivatives" {
  let (p, m, s) = (0.4, 0.7, 1.3)
  assert unbiased(|_| grad(counted(p, 2, reinforce), wrt: p), truth: 5.0 + 40.0 * p, precision: 0.5)
  assert unbiased(|_| grad(counted(p, 5, reinforce), wrt: p), truth: 5.0 + 40.0 * p, precision: 0.5)
  assert unbiased(|_| grad(summed(m, s, 2, reparam), wrt: (m, s)), truth: (50.0 * m, 10.0 * s), precision: 0.5)
}

model drift(m, k) {
  scan (at = 0.0) for i in 0..7, checkpoint: k {
    step ~ normal(at + m, 1.0) via reparam
    next at = step
  }
}

test "a guide and a model with different checkpoints" {
  let m = 0.3
  // KL of walks whose steps differ in their mean by m.
  assert unbiased(|_| elbo(drift(0.0, 3), drift(m, 2)), truth: -3.5 * m * m, precision: 0.05)
  assert unbiased(|_| grad(elbo(drift(0.0, 3), drift(m, 2)), wrt: m), truth: -7.0 * m, precision: 0.1)
}
