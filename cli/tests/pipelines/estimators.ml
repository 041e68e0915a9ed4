// Estimators and distributions against exact values. Tolerances are six standard errors of the draws' means or more, so a
// right implementation fails with a probability below 1e-8; the seed is fixed.

use std.dist.{normal, bernoulli, categorical, uniform}
use std.vi.{elbo, iwelbo}

test "both estimators give the derivative of a mean square" {
  let m = 0.7
  let a = grad(mean(for i in 0..40000 { expect { x ~ normal(m, 1.0) via reparam; x * x } }), wrt: m)
  assert close(a, 1.4, 0.08)
  let b = grad(mean(for i in 0..40000 { expect { x ~ normal(m, 1.0) via reinforce; x * x } }), wrt: m)
  assert close(b, 1.4, 0.2)
  let c = grad(mean(for i in 0..40000 { expect { x ~ normal(m, 1.0) via reinforce(baseline: 1.5); x * x } }), wrt: m)
  assert close(c, 1.4, 0.2)
}

test "the score function is right at second order" {
  let m = 0.3
  let e = grad(grad(mean(for i in 0..40000 { expect { x ~ normal(m, 1.0) via reinforce; x * x } }), wrt: m), wrt: m)
  assert close(e, 2.0, 0.5)
}

test "a site without a strategy takes one that is valid there" {
  let p = 0.3
  let a = grad(mean(for i in 0..40000 { expect { z ~ bernoulli(p); 3.0 * z } }), wrt: p)
  assert close(a, 3.0, 0.25)
  let m = 0.2
  let b = grad(mean(for i in 0..40000 { expect { x ~ normal(m, 1.0); if x > 0.0 { 1.0 } else { 0.0 } } }), wrt: m)
  // The density of the normal at -0.2.
  assert close(b, 0.391, 0.05)
}

test "densities have their values" {
  assert close(normal(1.0, 2.0).logpdf(2.0), -1.737085713764618, 1e-5)
  assert close(bernoulli(0.25).logpdf(1.0), -1.3862943611198906, 1e-6)
  assert close(bernoulli(0.0).logpdf(0.0), 0.0, 1e-6)
  assert close(bernoulli(logits: 100.0).logpdf(1.0), 0.0, 1e-6)
  assert close(bernoulli(logits: -2.0).logpdf(1.0), -2.1269280110429727, 1e-6)
  assert close(uniform(1.0, 3.0).logpdf(2.0), -0.6931471805599453, 1e-6)
  assert close(uniform(1.0, 3.0).logpdf(4.0), -inf, 0.0) or uniform(1.0, 3.0).logpdf(4.0) < -1e30
  assert close(categorical(logits: [0.0, log(3.0)]).logpdf(1.0), log(0.75), 1e-6)
}

test "samples have their means" {
  assert close(mean(for i in 0..40000 { normal(2.0, 3.0).sample() }), 2.0, 0.1)
  assert close(mean(for i in 0..40000 { bernoulli(0.3).sample() }), 0.3, 0.015)
  assert close(mean(for i in 0..40000 { bernoulli(logits: 0.0).sample() }), 0.5, 0.016)
  assert close(mean(for i in 0..40000 { uniform(1.0, 3.0).sample() }), 2.0, 0.02)
  assert close(mean(for i in 0..40000 { categorical(logits: [0.0, log(3.0)]).sample() }), 0.75, 0.014)
}

model p() {
  z ~ normal(0.0, 1.0)
  x ~ normal(z, 1.0)
}

model exact() { z ~ normal(0.5, sqrt(0.5)) }

model wide() { z ~ normal(0.0, 1.0) }

// x = 1 has the density of a normal of variance 2.
let evidence = -0.25 - 0.5 * log(4.0 * pi)

test "the bound is the evidence at the posterior, and below it elsewhere" {
  assert close(elbo(p() given {x: 1.0}, exact()), evidence, 1e-5)
  assert mean(for i in 0..20000 { elbo(p() given {x: 1.0}, wide()) }) < evidence - 0.2
}

test "more particles tighten the bound" {
  let one = mean(for i in 0..20000 { iwelbo(p() given {x: 1.0}, wide(), 1) })
  let many = mean(for i in 0..20000 { iwelbo(p() given {x: 1.0}, wide(), 20) })
  assert many > one + 0.1
  assert many < evidence + 0.01
}

test "derivatives by name, of any order" {
  let x = 2.0
  assert close(grad(x^3, wrt: x), 12.0, 1e-4)
  assert close(grad(grad(x^3, wrt: x), wrt: x), 12.0, 1e-4)
  assert close(jvp(x^3, wrt: x, along: 2.0), 24.0, 1e-4)
  let v = [1.0, 2.0]
  assert close(sum(hvp(sum(v^3), wrt: v, along: [1.0, 1.0])), 18.0, 1e-3)
}

test "the untaken side leaves no trace" {
  let x = 0.0
  assert close(grad(if x > 0.0 { log (x) } else { 2.0 * x }, wrt: x), 2.0, 0.0)
}

test "elements are selected one by one" {
  let v = [-1.0, 0.0, 2.0]
  assert close(sum(relu(v)), 2.0, 0.0)
  assert close(sum(leaky_relu(v)), 1.99, 1e-6)
  let w = [-1.0, 1.0, 2.0]
  assert close(sum(grad(sum(leaky_relu(w)), wrt: w)), 2.01, 1e-6)
  assert close(bernoulli([0.0, 0.5]).logpdf([0.0, 1.0]), log(0.5), 1e-6)
  assert close(uniform(zeros(2), ones(2)).logpdf([0.5, 0.1]), 0.0, 1e-6)
  let p = [0.0, 0.25]
  assert close(sum(grad(bernoulli(p).logpdf([0.0, 1.0]), wrt: p)), 3.0, 1e-5)
}

test "stable at extremes" {
  assert close(logsumexp([1000.0, 1000.0]), 1000.6931471805599, 1e-3)
  assert close(log_sigmoid(-200.0), -200.0, 1e-4)
  assert close(softplus(-100.0), 0.0, 1e-6)
  assert close(sum(softmax([1.0, 2.0, 3.0])), 1.0, 1e-6)
}
