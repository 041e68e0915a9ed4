// Marginal and normalized models, tested by many draws.
// slow by the interpreter

precision f64

use std.dist.{normal, bernoulli, uniform}
use std.inference.{marginal, normalize, log_evidence, importance, sir, smc, enumeration, quadrature}
use std.vi.{elbo, forward_kl}
use std.testing.unbiased

/// 0 or 1, with its values listed.
dist flip(p) on unit {
  logpdf(x) = log(if x > 0.5 { p } else { 1.0 - p })
  sample() = real(rand() < p)
  support() = [0.0, 1.0]
}

model wide() {
  u ~ normal(0.0, 1.0)
  x ~ normal(u, 0.5)
}

model prior() { u ~ normal(0.0, 1.0) }

/// The exact posterior of the auxiliary.
model posterior(x) { u ~ normal(0.8 * x, sqrt(0.2)) }

fn exact(x) = normal(0.0, sqrt(1.25)).logpdf(x)

test "densities without bias" {
  fn density(with, x) {
    let m = marginal(wide(), keep: [.x], with: with)
    unbiased(|_| exp(logdensity(m, {x: x})), truth: exp(exact(x)))
  }
  assert density(importance(|_| prior(), n: 1), 0.7)
  assert density(importance(|_| prior(), n: 4), 0.7)
  // A custom proposal is a function of what is kept.
  assert density(importance(|t| posterior(0.5 * t.x), n: 2), -1.0)
  let best = marginal(wide(), keep: [.x], with: importance(|t| posterior(t.x), n: 1))
  assert close(logdensity(best, {x: 1.3}), exact(1.3), 1e-12)
  let (t, w) = sample(best)
  assert close(w, exact(t.x), 1e-12)
  let grid = marginal(wide(), keep: [.x], with: quadrature(20, low: -6.0, high: 6.0))
  assert close(logdensity(grid, {x: 1.3}), exact(1.3), 1e-12)
  let (s, v) = sample(grid)
  assert close(v, exact(s.x), 1e-10)
}

// E [1(x in A) exp(-w)] is the length of A.
test "reciprocals without bias" {
  fn length(with) {
    let m = marginal(wide(), keep: [.x], with: with)
    fn one(_) {
      let (t, w) = sample(m)
      if abs(t.x) < 1.0 { exp(-w) } else { 0.0 }
    }
    unbiased(one, truth: 2.0)
  }
  assert length(importance(|t| posterior(0.5 * t.x), n: 1))
  assert length(importance(|t| posterior(0.5 * t.x), n: 3))
}

model coins() {
  a ~ flip(0.3)
  b ~ flip(0.2 + 0.6 * a)
  c ~ flip(0.1 + 0.4 * a + 0.3 * b)
}

model guess() {
  a ~ flip(0.6)
  b ~ flip(0.5)
}

test "exact strategies" {
  let m = marginal(coins(), keep: [.c], with: enumeration())
  assert close(exp(logdensity(m, {c: 1.0})) + exp(logdensity(m, {c: 0.0})), 1.0, 1e-12)
  let p = log_evidence(coins() given {c: 1.0}, with: enumeration())
  assert close(logdensity(m, {c: 1.0}), p, 1e-12)
  let post = normalize(coins() given {c: 1.0}, with: enumeration())
  let all = for a in [0.0, 1.0], b in [0.0, 1.0] { exp(logdensity(post, {a, b})) }
  assert close(sum(all), 1.0, 1e-12)
  let (t, w) = sample(post)
  assert close(w, logdensity(post, t), 1e-12)
  let line = normalize(wide() given {x: 1.0}, with: quadrature(20, low: -6.0, high: 6.0))
  assert close(logdensity(line, {u: 0.3}), normal(0.8, sqrt(0.2)).logpdf(0.3), 1e-10)
}

// What sir gives has a density of its own: the two estimates of it agree, and with many particles it is the posterior.
test "sampling importance resampling" {
  let m = normalize(coins() given {c: 1.0}, with: sir(guess(), n: 2))
  let densities = for a in [0.0, 1.0], b in [0.0, 1.0] {
    mean(for i in 0..4000 { exp(logdensity(m, {a, b})) })
  }
  // Five standard errors of about 0.004 each.
  assert close(sum(densities), 1.0, 0.02)
  let counts = mean(for i in 0..40000 {
    let (t, w) = sample(m)
    let here = t.a * t.b
    [here, here * exp(-w)]
  }, axis: 0)
  assert close(counts[0], densities[1, 1], 0.02)
  // Every value has the mean of 1 / density over its draws: one.
  assert close(counts[1], 1.0, 0.05)
  let many = normalize(coins() given {c: 1.0}, with: sir(guess(), n: 500))
  let exact = normalize(coins() given {c: 1.0}, with: enumeration())
  assert close(logdensity(many, {a: 1.0, b: 1.0}), logdensity(exact, {a: 1.0, b: 1.0}), 0.2)
}

let steps = 3
let seen = [0.5, 1.0, -0.3]

model walk() {
  let (_, all) = scan (c = 0.0) for i in 0..steps {
    s ~ normal(c, 1.0)
    y ~ normal(s, 0.5)
    next c = s
    yield s
  }
}

fn ahead(_, last, i) = step_from(if i == 0 { 0.0 } else { last.s })
model step_from(c) { s ~ normal(c, 1.0) }
fn pull(t, last, now, i) =
  normal(if i == 0 { 0.0 } else { last.s }, 1.0).logpdf(now.s) + normal(now.s, 0.5).logpdf(t.y[i])
fn no_pull(t, last, now, i) = 0.0 * now.s

/// log p(y) by the Kalman filter.
fn kalman(y) {
  let end = scan (m = 0.0, v = 0.0, l = 0.0) for x in y {
    let p = v + 1.0
    let s = p + 0.25
    next m = m + p / s * (x - m)
    next v = p * 0.25 / s
    next l = l + normal(m, sqrt(s)).logpdf(x)
  }
  end.l
}

model bits() {
  scan (c = 0.5) for i in 0..3 {
    s ~ flip(0.2 + 0.5 * c)
    y ~ flip(0.1 + 0.7 * s)
    next c = s
  }
}

model guess_bit() { s ~ flip(0.4) }

fn bit_pull(t, last, now, i) = flip(0.1 + 0.7 * now.s).logpdf(t.y[i])

// The weights are bounded here, so the reciprocals have a variance.
test "reciprocals by sequential Monte Carlo" {
  let m = marginal(bits(), keep: [.y], with: smc(3, propose: |_, last, i| guess_bit(), potential: bit_pull, n: 3))
  fn ratio(_) {
    let (t, w) = sample(m)
    let all = for a in [0.0, 1.0], b in [0.0, 1.0], c in [0.0, 1.0] { logdensity(bits(), {s: stack([a, b, c]), y: t.y}) }
    exp(logsumexp(flatten(all)) - w)
  }
  assert unbiased(ratio, truth: 1.0)
}

test "sequential Monte Carlo" {
  fn density(potential) {
    let m = marginal(walk(), keep: [.y], with: smc(steps, propose: ahead, potential: potential, n: 6))
    unbiased(|_| exp(logdensity(m, {y: seen}) - kalman(seen)), truth: 1.0, precision: 0.1)
  }
  assert density(pull)
  assert density(no_pull)
  let target = walk() given {y: seen}
  let post = normalize(target, with: smc(steps, propose: ahead, potential: |_, last, now, i| pull({y: seen}, last, now, i), n: 100))
  fn first(_) {
    let (t, _) = sample(post)
    t.s[0]
  }
  // The posterior mean of the first state, from the joint normal distribution.
  let means = for i in 0..500 { first(i) }
  let precision_of = [[6.0, -1.0, 0.0], [-1.0, 6.0, -1.0], [0.0, -1.0, 5.0]]
  assert close(mean(means), solve(precision_of, 4.0 * seen)[0], 0.15)
  let (t, w) = sample(post)
  assert close(w, logdensity(target, t) - kalman(seen), 0.8)
  assert close(logdensity(post, t), w, 0.8)
}

test "derivatives through a marginal guide" {
  // With the exact posterior of the auxiliary the bound is that of the exact marginal.
  fn objective(s) {
    model guide() {
      u ~ normal(0.0, 1.0)
      x ~ normal(s * u, 0.5)
    }
    model back(x) { u ~ normal(s * x / (s * s + 0.25), sqrt(0.25 / (s * s + 0.25))) }
    model p() { x ~ normal(0.0, 2.0) }
    elbo(p(), marginal(guide(), keep: [.x], with: importance(|t| back(t.x), n: 2)))
  }
  // E log p = -(s^2 + 1/4) / 8, and the entropy is log(s^2 + 1/4) / 2.
  let s = 0.8
  let v = 0.64 + 0.25
  assert unbiased(|_| grad(objective(s), wrt: s), truth: -0.2 + 0.8 / v)
}

test "marginals of marginals" {
  model chain() {
    a ~ normal(0.0, 1.0)
    b ~ normal(a, 1.0)
    x ~ normal(b, 1.0)
  }
  model ra() { a ~ normal(0.0, 0.8) }
  model rb() { b ~ normal(0.0, 1.0) }
  let inner = marginal(chain(), keep: [.b, .x], with: importance(|_| ra(), n: 2))
  let m = marginal(inner, keep: [.x], with: importance(|_| rb(), n: 3))
  assert unbiased(|_| exp(logdensity(m, {x: 0.4})), truth: exp(normal(0.0, sqrt(3.0)).logpdf(0.4)), precision: 0.1)
  fn ratio(_) {
    let (t, w) = sample(m)
    exp(normal(0.0, sqrt(3.0)).logpdf(t.x) - w)
  }
  assert unbiased(ratio, truth: 1.0, precision: 0.1)
  model around() {
    u ~ m
    y ~ normal(u.x, 1.0)
  }
  let (t, _) = sample(around() given {y: 1.0})
  assert is_finite(t.u.x)
}

/// A model of functions whose weights are the density.
fn known() {
  fn draw() {
    let x = normal(0.0, 1.0).sample()
    ({x: x}, normal(0.0, 1.0).logpdf(x))
  }
  generative(sample: draw, density: |t| normal(0.0, 1.0).logpdf(t.x), exact: true)
}

test "which densities are exact" {
  let estimated = marginal(wide(), keep: [.x], with: importance(|_| prior(), n: 2))
  model around() { inner ~ estimated }
  assert exact_density(wide()) and exact_density(known())
  assert not exact_density(estimated) and not exact_density(around())
  assert not exact_density(normalize(wide(), with: sir(wide())))
  let grid = quadrature(4, low: -6.0, high: 6.0)
  assert exact_density(marginal(wide(), keep: [.x], with: grid))
  // The estimate stays one when other sites are left out exactly.
  model pair() {
    inner ~ estimated
    v ~ normal(inner.x, 1.0)
  }
  assert not exact_density(marginal(pair(), keep: [.inner], with: grid))
}

test "bounds of estimates by estimates" {
  let estimated = marginal(wide(), keep: [.x], with: importance(|t| posterior(0.5 * t.x), n: 2))
  // Both are bounds of 0: the first from below, the second from above. Standard errors are 0.011.
  let below = mean(for i in 0..20000 { elbo(estimated, estimated) })
  let above = mean(for i in 0..20000 { forward_kl(estimated, estimated) })
  assert -1.0 < below and below < -0.3
  assert 0.3 < above and above < 1.0
  // A difference of one weight from itself errs to no side.
  let centred = expect {
    let r = for i in 0..3 {
      let (t, lq) = sample(estimated)
      logdensity(estimated, t) - lq
    }
    logmeanexp(r - mean(r)) + mean(r)
  }
  assert is_finite(centred)
}
