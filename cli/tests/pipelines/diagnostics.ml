// Whether a fit is any good, on models whose posterior is known. The bounds hold at seeds 0 and 1; where draws decide, they lie
// several standard errors away.
// slow by the interpreter
use std.dist.normal
use std.diagnostics.{calibrated, converged, even, fitted, khat, mcse, pareto_shape, rhat, root, slide, window}
use std.vi.elbo
use std.optim.adam

let y = [0.3, 1.2, 0.8, 1.9, 0.1]
let center = sum(y) / 6.0
let width = sqrt(1.0 / 6.0)

param loc = 0.0
param scale in positive = 1.0

model line(y: real[n]) {
  mu ~ normal(0.0, 1.0)
  for v in y { x ~ normal(mu, 1.0) }
}

model guide(loc, scale) { mu ~ normal(loc, scale) }

let p = line(y) given {x: y}

// The evidence of five draws whose covariance is the identity plus ones: its determinant is 6.
fn evidence() = -2.5 * log(2.0 * pi) - 0.5 * log(6.0) - 0.5 * (sum(y * y) - square(sum(y)) / 6.0)

test "the posterior itself is good, and its bound is the evidence" {
  let r = fitted(p, guide(center, width))
  assert r
  assert r.khat < 0.5
  assert close(r.elbo, evidence(), 1e-4)
}

test "near the posterior" {
  let r = fitted(p, guide(center + 0.1, 1.1 * width))
  assert r.holds and r.khat < 0.5 and r.elbo_se < 0.01
  // Four standard errors: 1e-4. KL of the guide from the posterior: 0.5 (1.21 + 0.06 - 1 - log 1.21).
  let kl = 0.5 * (1.21 + 0.01 * 6.0 - 1.0 - log(1.21))
  assert abs(r.elbo - (evidence() - kl)) < 4.0 * r.elbo_se
}

test "too narrow, too far" {
  let r = fitted(p, guide(center, 0.2 * width))
  assert not r.holds and r.khat > 0.7
  let far = fitted(p, guide(center + 5.0, width))
  assert not far.holds and far.khat > 0.7
}

// Ratios of a density to a guide, 400 times 4,000 draws: how often they are even. A share is known to 0.025.
fn share_even(log_ratio) = mean(for i in 0..400 { real(even(for j in 0..4000 { log_ratio() }).holds) })

test "good guides and bad ones, by 4,000 draws" {
  // Hardly varying, with a cubic term: the tail above the bulk looks heavy, and weighs nothing.
  fn skewed() {
    let z = randn()
    0.02 * (z * z * z - 3.0 * z) - 0.03 * z * z
  }
  // Student's t with 10 degrees of freedom by a normal distribution of its variance: heavy, and near.
  fn heavier() {
    let z = randn()
    -5.5 * log1p(1.25 * z * z / 10.0) + 0.5 * z * z
  }
  // The funnel exp(v / 2) of three numbers, by the best independent normal distribution.
  fn funnel() {
    let v = -0.6 + 0.9 * randn()
    let z = randn(9)
    let s = exp(0.15)
    normal(0.0, 3.0).logpdf(v) - normal(-0.6, 0.9).logpdf(v) + sum(0.5 * z * z - 0.5 * square(s * z * exp(-0.5 * v)) - 0.5 * v)
  }
  // A normal distribution by one of a fifth of its width.
  fn narrow() {
    let z = randn() / 5.0
    12.0 * z * z
  }
  assert share_even(skewed) > 0.99
  assert share_even(heavier) > 0.9
  assert share_even(funnel) < 0.01
  assert share_even(narrow) < 0.1
}

test "ratios that are no numbers, or nothing at all" {
  let good = sin(real(iota(1000)))
  assert is_finite(khat(good))
  assert khat(put(good, 3, nan)) == inf
  assert khat(put(good, 3, inf)) == inf
  assert is_finite(khat(put(good, 3, -inf)))
  assert khat(full(-inf, 1000)) == inf
  assert khat(full(3.0, 1000)) == 0.0
  assert khat([1.0, 2.0, 3.0]) == inf
}

test "the shape of a tail" {
  // Quantiles of generalised Pareto distributions of known shape.
  let u = (f64(iota(4000)) + 0.5) / 4000.0
  let found = for k in [-0.3, 0.3, 0.7, 1.2] { pareto_shape((exp(-k * log1p(-u)) - 1.0) / k) }
  assert close(found, f64([-0.3, 0.3, 0.7, 1.2]), 0.02)
}

test "the ratios of a known tail" {
  // Ratios u^-k have a tail of shape k; each is found to 0.1, their mean to 0.0125.
  let r = for i in 0..64 { for k in [0.3, 0.9] { khat(-k * log(rand(20000))) } }
  assert close(mean(r, axis: 0), [0.3, 0.9], 0.05)
}

test "roots" {
  assert root(0) == 0 and root(1) == 1 and root(2) == 2 and root(16) == 4 and root(17) == 5 and root(36000) == 190
}

test "iterates that have settled, and that have not" {
  let still = for i in 0..200 { normal([1.0, -2.0], 0.1).sample() }
  let moving = for i in 0..200 { normal([1.0, 0.02 * real(i)], 0.1).sample() }
  assert max(rhat(still)) < 1.03 and converged(still)
  assert rhat(moving)[1] > 2.0 and not converged(moving)
  // Independent draws: the standard error of the mean is 0.1 / sqrt(200), of 15 pieces known to a fifth.
  assert close(mcse(still), [0.00707, 0.00707], 0.004)
  assert converged(still, within: 0.02) and not converged(still, within: 0.001)
  assert all(rhat(ones(10, 2)) == 1.0)
  assert not converged(window(5, {a: 1.0, b: [2.0, 3.0]}))
  let w = slide(slide(window(2, 0.0), 1.0), 2.0)
  assert close(w, [[1.0], [2.0]], 0.0)
}

fn simulate(i) {
  let mu = normal(0.0, 1.0).sample()
  (mu, for i in 0..5 { normal(mu, 1.0).sample() })
}

fn posterior(shift, factor) = |y| normal(sum(y) / 6.0 + shift, factor * width).sample()

test "calibration by simulation" {
  assert calibrated(simulate, posterior(0.0, 1.0))
  assert not calibrated(simulate, posterior(0.0, 0.7)).holds
  assert not calibrated(simulate, posterior(0.0, 1.5)).holds
  assert not calibrated(simulate, posterior(0.2, 1.0)).holds
}

stage fit = train for 3000 steps {
  state w = window(100, (loc, scale))
  maximize mean(for i in 0..8 { elbo(p, guide(loc, scale)) }) over loc, scale using adam(lr: 0.02)
  every 5 steps {
    set w = slide(w, (loc, scale))
    stop when converged(w)
  }
  verdict fitted(p, guide(loc, scale), n: 2000)
}

stage narrow = compute after fit { verdict fitted(p, guide(loc, 0.2 * scale)) }

stage nothing = compute {
  let wild = normal(0.0, 1.0).sample() * nan
  verdict {holds: wild < 1.0, wild}
}

test "verdicts are logged" {
  assert fit.log.good[0] and fit.log.khat[0] < 0.7 and abs(fit.log.elbo[0] - evidence()) < 0.05
  assert len(fit.log.good) == 1 and len(fit.log.objective) < 3000
  assert not narrow.log.good[0] and narrow.log.khat[0] > 0.7
  assert not nothing.log.good[0]
}
