precision f64

use std.dist.{normal, half_normal, beta, dirichlet, exponential, flat, gamma, lkj_cholesky, log_normal, uniform}
use std.supports.{ordered, positive_ordered, covariance_cholesky}
use std.auto.{mean_field, full_rank, low_rank, structured, flow, laplace, delta, search}
use std.auto.{natural_step, noncentred, particles, scaled, stein}
use std.linalg.diagonal
use std.vi.elbo
use std.optim.adam
use std.schedules
use known.line.{posterior, precision_of, centre, covariance_of, covariance_from}

// --- Every support: the trace has the form of the model's, lies inside, and scores as it was drawn ---

model inner() { v ~ normal(0.0, 1.0) }

model shapes() {
  a ~ normal(zeros(2), 1.0)
  for i in 0..3 {
    b ~ exponential(2.0)
    w ~ dirichlet([1.0, 2.0, 3.0])
  }
  c ~ beta(2.0, 3.0)
  d ~ dirichlet(ones(4))
  e ~ flat(ordered(3))
  f ~ flat(positive_ordered(2))
  l ~ lkj_cholesky(3, 1.5)
  s ~ flat(covariance_cholesky(2))
  u ~ uniform(-1.0, 3.0)
  h ~ inner()
}

model mean_field_of = mean_field(shapes())
model full_rank_of = full_rank(shapes(), start: search(), scale: 0.3)
model low_rank_of = low_rank(shapes(), rank: 2)
model structured_of = structured(shapes(), blocks: [[.a, .h], [.e]])
model flow_of = flow(shapes())

fn alike(guide) {
  let (t, w) = sample(guide)
  abs(logdensity(guide, t) - w) < 1e-7 and is_finite(logdensity(shapes(), t))
}

test "traces and densities" {
  assert alike(mean_field_of) and alike(full_rank_of) and alike(low_rank_of) and alike(structured_of) and alike(flow_of)
  let (t, _) = sample(full_rank_of)
  assert len(t.b) == 3 and shape(t.w)[1] == 3 and rank(t.h.v) == 0
  assert close(sum(t.w, axis: 1), ones(3), 1e-9)
  assert t.e[0] < t.e[1] and t.f[0] > 0.0 and t.l[0, 0] == 1.0 and t.s[0, 1] == 0.0
  assert t.u > -1.0 and t.u < 3.0
}

// A density with two reals behind bounds integrates to 1.
model small() {
  p ~ beta(2.0, 3.0)
  q ~ uniform(-1.0, 1.0)
}

model around = full_rank(small(), start: search(), scale: 0.7)

test "mass" {
  let n = 200
  let mass = sum(for i in 0..n, j in 0..n {
    exp(logdensity(around, {p: (real(i) + 0.5) / real(n), q: 2.0 * (real(j) + 0.5) / real(n) - 1.0}))
  })
  assert close(mass * 2.0 / real(n * n), 1.0, 1e-3)
}

// --- A posterior that is normal and known ---

model whole = full_rank(posterior, start: search(), scale: 0.5)
model apart = mean_field(posterior)
model thin = low_rank(posterior)
model joint = structured(posterior)
model known = laplace(posterior)
model point = delta(posterior)
model bent = flow(posterior, layers: 2)

stage fit = train for 1500 steps {
  maximize mean(for i in 0..8 { elbo(posterior, whole) }) over whole using adam(lr: schedules.cosine(0.05, 1500))
  maximize mean(for i in 0..8 { elbo(posterior, apart) }) over apart using adam(lr: schedules.cosine(0.05, 1500))
  maximize mean(for i in 0..8 { elbo(posterior, thin) }) over thin using adam(lr: schedules.cosine(0.05, 1500))
  maximize mean(for i in 0..8 { elbo(posterior, joint) }) over joint using adam(lr: schedules.cosine(0.05, 1500))
  maximize mean(for i in 0..8 { elbo(posterior, bent) }) over bent using adam(lr: schedules.cosine(0.05, 1500))
  maximize elbo(posterior, point) over point using adam(lr: schedules.cosine(0.05, 1500))
}

fn draws(guide) = for i in 0..40000 { sample(guide)[0].w }

// Standard errors of these are below 0.003.
test "a normal posterior is found" {
  let off = for g in [fit.whole, fit.thin, fit.joint, known, fit.bent] {
    let d = draws(g)
    (max(abs(mean(d, axis: 0) - centre)), max(abs(covariance_from(d) - covariance_of)))
  }
  assert max(off[0]) < 0.03
  assert max(off[1]) < 0.02
  let evidence = mean(for i in 0..100 { elbo(posterior, known) })
  assert close(mean(for i in 0..4000 { elbo(posterior, fit.whole) }), evidence, 1e-2)
}

test "independent directions, and a point" {
  let d = draws(fit.apart)
  assert close(mean(d, axis: 0), centre, 0.03)
  // The precisions are those of the posterior's diagonal.
  assert close(std(d, axis: 0), [1.0 / sqrt(precision_of[0, 0]), 1.0 / sqrt(precision_of[1, 1])], 0.02)
  assert close(sample(fit.point)[0].w, centre, 0.02)
}

model cloud = particles(posterior, n: 100)

stage gather = train for 500 steps { update cloud by stein(posterior, cloud.params) using adam(lr: 0.05) }

test "points" {
  let d = gather.cloud.params.at
  assert close(mean(d, axis: 0), centre, 0.02)
  // A hundred points have less than the whole variance.
  let ratio = diagonal(covariance_from(d)) / diagonal(covariance_of)
  assert min(ratio) > 0.8 and max(ratio) < 1.1
  let t = sample(gather.cloud)[0]
  assert min(for v in d { sqnorm(v - t.w) }) == 0.0
}

// --- The natural gradient reaches it in a few steps, whatever the scales ---

model steep() {
  a ~ normal(3.0, 100.0)
  b ~ normal(1e-3 * a, 1e-3)
}

model natural = full_rank(steep(), start: search())

stage along = train for 500 steps {
  let bound = mean(for i in 0..8 { elbo(steep(), natural) })
  let rate = 0.2 * min(1.0, exp(0.02 * (300.0 - real(step))))
  set natural = natural_step(natural.params, grad(bound, wrt: natural), rate)
}

test "natural gradients" {
  let t = for i in 0..20000 { sample(along.natural)[0] }
  assert close(mean(t.a), 3.0, 6.0)
  assert close(std(t.a) / 100.0, 1.0, 0.05)
  assert close(std(t.b - 1e-3 * t.a) / 1e-3, 1.0, 0.05)
}

// --- A search that does not begin where the density is no number ---

model narrow() {
  s ~ normal(0.0, 1.0)
  factor if s > 0.5 { log(s - 0.5) } else { nan }
}

model found = mean_field(narrow(), scale: 1e-3)

test "no start at what is no number" { assert is_finite(logdensity(narrow(), sample(found)[0])) }

// --- Parameters belong to the name ---

test "parameters" {
  assert close(whole.params.root, [[0.5, 0.0], [0.0, 0.5]], 1e-12)
  let moved = whole.with({..whole.params, loc: [1.0, 2.0]})
  assert close(moved.params.loc, [1.0, 2.0], 0.0)
  let shift = mean(draws(moved), axis: 0) - mean(draws(whole), axis: 0)
  assert close(shift, [1.0, 2.0], 0.02)
  let t = {w: [0.3, 0.2]}
  assert sqnorm(grad(logdensity(whole, t), wrt: whole).loc) > 0.0
  assert sqnorm(grad(logdensity(stop(whole), t), wrt: whole).loc) == 0.0
}

// --- Models written otherwise ---

model effects() {
  mu ~ normal(1.0, 2.0)
  tau ~ half_normal(1.0)
  for s in [0.5, 1.0, 2.0] {
    theta ~ normal(mu, tau)
    y ~ normal(theta, s)
  }
}

test "another centre" {
  let e = [0.3, -0.4, 1.0]
  let (mu, tau, y) = (0.5, 0.7, [1.0, 2.0, 3.0])
  let free = effects() given {y}
  // The densities differ by the determinant of the map.
  let theta = mu + tau * e
  let l = logdensity(free, {mu: mu, tau: tau, theta: theta})
  assert close(logdensity(noncentred(free, .theta), {mu: mu, tau: tau, theta: e}), l + 3.0 * log(tau), 1e-9)
  assert close(logdensity(noncentred(free, .theta, part: 1.0), {mu: mu, tau: tau, theta: theta}), l, 1e-9)
  let half = 0.5 * mu + sqrt(tau) * e
  let partly = noncentred(free, .theta, part: 0.5)
  assert close(logdensity(partly, {mu: mu, tau: tau, theta: half}), l + 1.5 * log(tau), 1e-9)
}

test "counted otherwise" {
  let t = {mu: 0.5, tau: 0.7, theta: [0.3, -0.4, 1.0]}
  let y = [1.0, 2.0, 3.0]
  let l = logdensity(effects() given {y}, t)
  let of_y = sum(for (v, m, s) in (y, t.theta, [0.5, 1.0, 2.0]) { normal(m, s).logpdf(v) })
  assert close(logdensity(scaled(effects() given {y}, .y, 0.25), t), l - 0.75 * of_y, 1e-9)
}
