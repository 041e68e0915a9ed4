// Divergences in closed form at the sites of a bound. // slow by the interpreter
precision f64

use std.dist.{normal, uniform}
use std.testing.unbiased
use std.vi.{elbo, analytic_elbo}

/// A normal distribution that knows its divergence.
dist gauss(mu, sigma in positive) on real {
  logpdf(x) = normal(mu, sigma).logpdf(x)
  noise() = randn(shape(mu + sigma))
  transform(e) = mu + sigma * e
  kl(q) = log(q.sigma / sigma) + (square(sigma) + square(mu - q.mu)) / (2.0 * square(q.sigma)) - 0.5
}

param m = 0.3
param s = 0.8
param k = 0.5

fn kl_of(a, b, m, s) = log(s / b) + (b * b + square(a - m)) / (2.0 * s * s) - 0.5

model single() { z ~ gauss([0.0, 1.0], 1.0) }

model single_guide() { z ~ gauss([m, 2.0 * m], s) }

model part(c) { w ~ gauss(c, 1.0) }

model plates() {
  a ~ gauss(0.0, 1.0)
  for c in [0.0, 1.0, 2.0] { z ~ gauss(c + a, 2.0) }
  for i in 0..2 {
    h ~ part(a)
    for j in 0..2 { u ~ gauss(a, 1.0 + real(i)) }
  }
}

model plates_guide() {
  a ~ gauss(m, s)
  let sum = for i in 0..3 {
    z ~ gauss(real(i) + m, s)
    z
  }
  for i in 0..2 {
    h ~ part(m + real(i))
    for j in 0..2 { u ~ gauss(k * sum[0] + m, s) }
  }
}

test "a site without noise" {
  // Nothing is left to chance.
  let truth = kl_of(m, s, 0.0, 1.0) + kl_of(2.0 * m, s, 1.0, 1.0)
  assert close(analytic_elbo(single(), single_guide()), -truth, 1e-12)
  assert close(flatten(grad(analytic_elbo(single(), single_guide()), wrt: (m, s))), -flatten(grad(truth, wrt: (m, s))), 1e-12)
}

test "plates, models within models, and sites that depend on sites" {
  fn drawn(_) = grad(analytic_elbo(plates(), plates_guide()), wrt: (m, s, k))
  assert unbiased(drawn, against: |_| grad(elbo(plates(), plates_guide()), wrt: (m, s, k)), precision: 0.1)
}

model apart() {
  for c in linspace(0.0, 2.0, 3) { z ~ gauss(c, 2.0) }
  for i in 0..2 {
    h ~ part(real(i))
    for j in 0..3 { u ~ gauss(real(j), 1.0 + real(i)) }
  }
}

model apart_guide() {
  for c in linspace(0.5, 0.7, 3) { z ~ gauss(c * m, s) }
  for i in 0..2 {
    h ~ part(m)
    for j in 0..3 { u ~ gauss(m, 0.5 + real(j)) }
  }
}

test "plates without noise" {
  let z = sum(for (a, c) in ([0.0, 1.0, 2.0], [0.5, 0.6, 0.7]) { kl_of(c * m, s, a, 2.0) })
  let h = kl_of(m, 1.0, 0.0, 1.0) + kl_of(m, 1.0, 1.0, 1.0)
  let u = sum(for i in 0..2, j in 0..3 { kl_of(m, 0.5 + real(j), real(j), 1.0 + real(i)) })
  assert close(analytic_elbo(apart(), apart_guide()), -z - h - u, 1e-11)
  // Particles in lanes of their own.
  let many = expect {
    for i in 0..4 {
      let (t, lq) = sample(apart_guide())
      logdensity(apart(), t, analytic: true) - lq
    }
  }
  assert close(many, for i in 0..4 { -z - h - u }, 1e-11)
}

model other() { z ~ normal(0.0, 1.0) }

model other_guide() { z ~ gauss(m, s) }

test "another family, a value that was changed" {
  assert unbiased(|_| grad(analytic_elbo(other(), other_guide()), wrt: (m, s)), truth: grad(-kl_of(m, s, 0.0, 1.0), wrt: (m, s)))
  fn moved() = expect {
    let (t, _) = sample(single_guide())
    logdensity(single(), {z: 2.0 * t.z}, analytic: true)
  }
  fn plain() = expect {
    let (t, _) = sample(single_guide())
    logdensity(single(), {z: 2.0 * t.z})
  }
  assert unbiased(|_| grad(moved(), wrt: (m, s)), against: |_| grad(plain(), wrt: (m, s)))
}
