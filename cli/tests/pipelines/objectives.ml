// Objectives on a conjugate model: z ~ N(0, 1), x ~ N(z, 1), seen at 1. The posterior is N(1/2, 1/2), the evidence N(1; 0, 2), and r, the
// log weight of the guide N(m, s^2), a parabola. Truths are closed forms, or integrals by the trapezoid rule on a grid, whose
// error is far below the tests' precision. `unbiased` errs with a probability of at most 1e-9 each way. // slow by the interpreter
precision f64

use std.dist.{normal, bernoulli}
use std.estimators.{reparam, reinforce, enumerate}
use std.inference.{marginal, importance}
use std.testing.unbiased
use std.vi.{elbo, iwelbo, vr_iwae, chi, cubo, renyi, eubo, tvo, beta_elbo, annealed_elbo, posterior_mode, likelihood, forward_kl, jeffreys, f_divergence, generators, alpha_generator, tail_adaptive, fisher, score_matching, mmd, gaussian_kernel, sticking, dreg, vimco, wake_model, wake_guide, sleep, rws}

param m = 0.3
param s = 0.9
param c = 0.0

model joint(c) {
  z ~ normal(c, 1.0)
  x ~ normal(z, 1.0)
}

model prior() { z ~ normal(0.0, 1.0) }

model gaussian(m, s, via_) { z ~ normal(m, s) via via_ }

let p = joint(0.0) given {x: 1.0}
let evidence = -0.25 - 0.5 * log(4.0 * pi)
let exact = gaussian(0.5, sqrt(0.5), reparam)

fn guide() = gaussian(m, s, reparam)
fn scored() = gaussian(m, s, reinforce)

// The parts of r, for quadrature.
fn log_normal(x, m, s) = -0.5 * square((x - m) / s) - log(s) - 0.5 * log(2.0 * pi)
fn weight(z, m, s, c) = log_normal(z, c, 1.0) + log_normal(1.0, z, 1.0) - log_normal(z, m, s)

/// E f(z) for z from N(m, s^2): the trapezoid rule over 12 standard deviations on both sides.
fn mean_of(f, m, s) {
  let h = 24.0 / 400.0
  sum(for i in 0..401 {
    let e = -12.0 + h * real(i)
    h * exp(-0.5 * e * e) / sqrt(2.0 * pi) * f(m + s * e)
  })
}

/// E f(y, z) for two of them.
fn mean_of_two(f, m, s) = mean_of(|y| mean_of(|z| f(y, z), m, s), m, s)

fn kl_of(a, b, m, s) = log(s / b) + (b * b + square(a - m)) / (2.0 * s * s) - 0.5

test "at the posterior" {
  assert close(elbo(p, exact), evidence, 1e-12)
  assert close(iwelbo(p, exact, 3), evidence, 1e-12)
  assert close(vr_iwae(p, exact, 0.5, 3), evidence, 1e-12)
  assert close(cubo(p, exact, n: 4), evidence, 1e-12)
  assert close(renyi(p, exact, 2.0, n: 4), evidence, 1e-12)
  assert close(chi(p, exact, shift: evidence), 1.0, 1e-12)
  assert close(eubo(p, exact, exact), evidence, 1e-12)
  assert close(eubo(p, exact, exact, n: 3), evidence, 1e-12)
  assert close(tvo(p, exact, [0.0, 0.1, 1.0], 5), evidence, 1e-12)
  assert close(tvo(p, exact, [0.0, 0.1, 1.0], 5, upper: true), evidence, 1e-12)
  assert close(beta_elbo(p, exact, prior(), 1.0), evidence, 1e-12)
  assert close(annealed_elbo(p, exact, 1.0), evidence, 1e-12)
  assert close(sticking(p, exact), evidence, 1e-12)
  assert close(dreg(p, exact, 3), evidence, 1e-12)
  assert close(vimco(p, exact, 3), evidence, 1e-12)
  assert close(tail_adaptive(p, exact, 4), evidence, 1e-12)
  assert close(rws(p, exact, 3), evidence, 1e-12)
  assert close(wake_model(p, exact, 3), evidence, 1e-12)
  assert close(fisher(p, exact), 0.0, 1e-12)
  assert close(forward_kl(exact, exact), 0.0, 1e-12)
  assert close(jeffreys(exact, exact), 0.0, 1e-12)
  let all = [
    generators.kl,
    generators.reverse_kl,
    generators.jeffreys,
    generators.pearson,
    generators.neyman,
    generators.hellinger,
    generators.total_variation,
    generators.jensen_shannon,
    alpha_generator(0.3),
  ]
  assert close(for f in all { f_divergence(exact, exact, f) }, zeros(9), 1e-12)
  assert close(for f in all { f_divergence(p, exact, f) }, for f in all { f(evidence) }, 1e-12)
}

test "gradients that vanish there" {
  let (m, s) = (0.5, sqrt(0.5))
  let q = gaussian(m, s, reparam)
  assert close(flatten(grad(sticking(p, q), wrt: (m, s))), [0.0, 0.0], 1e-12)
  assert close(flatten(grad(dreg(p, q, 4), wrt: (m, s))), [0.0, 0.0], 1e-12)
  assert close(flatten(grad(tail_adaptive(p, q, 4), wrt: (m, s))), [0.0, 0.0], 1e-12)
  assert close(flatten(grad(fisher(p, q), wrt: (m, s))), [0.0, 0.0], 1e-12)
  assert close(flatten(grad(f_divergence(q, q, generators.pearson), wrt: (m, s))), [0.0, 0.0], 1e-12)
}

test "the table of generators" {
  // D(p, q) between two Gaussians, from the definition with the densities themselves.
  fn by_quadrature(f) = mean_of(|z| f(log_normal(z, 0.0, 1.0) - log_normal(z, 0.4, 1.3)), 0.4, 1.3)
  let kl = kl_of(0.0, 1.0, 0.4, 1.3)
  let reverse = kl_of(0.4, 1.3, 0.0, 1.0)
  // E_p u = integral of p^2 / q, and E_q sqrt(u), of Gaussians.
  let square_of = mean_of(|z| exp(log_normal(z, 0.0, 1.0) - log_normal(z, 0.4, 1.3)), 0.0, 1.0)
  let overlap = sqrt(2.0 * 1.3 / (1.0 + 1.69)) * exp(-0.16 / (4.0 * (1.0 + 1.69)))
  fn middle(z) = log(0.5 * exp(log_normal(z, 0.0, 1.0)) + 0.5 * exp(log_normal(z, 0.4, 1.3)))
  let shannon = 0.5 * mean_of(|z| log_normal(z, 0.0, 1.0) - middle(z), 0.0, 1.0) +
    0.5 * mean_of(|z| log_normal(z, 0.4, 1.3) - middle(z), 0.4, 1.3)
  assert close(by_quadrature(generators.kl), kl, 1e-9)
  assert close(by_quadrature(generators.reverse_kl), reverse, 1e-9)
  assert close(by_quadrature(generators.jeffreys), kl + reverse, 1e-9)
  assert close(by_quadrature(generators.pearson), square_of - 1.0, 1e-9)
  assert close(by_quadrature(generators.hellinger), 1.0 - overlap, 1e-9)
  assert close(by_quadrature(generators.jensen_shannon), shannon, 1e-9)
  assert close(by_quadrature(alpha_generator(2.0)), 0.5 * (square_of - 1.0), 1e-9)
  assert close(by_quadrature(alpha_generator(0.5)), 4.0 * (1.0 - overlap), 1e-9)
  let back = mean_of(|z| exp(log_normal(z, 0.4, 1.3) - log_normal(z, 0.0, 1.0)), 0.4, 1.3)
  assert close(by_quadrature(generators.neyman), back - 1.0, 1e-6)
  // |p - q| / 2 for equal variances: 2 ndtr(distance / 2) - 1. The grid has an error of the kink.
  let tv = mean_of(|z| generators.total_variation(log_normal(z, 1.0, 1.0) - log_normal(z, 0.0, 1.0)), 0.0, 1.0)
  assert close(tv, 2.0 * ndtr(0.5) - 1.0, 1e-3)
}

fn exact_elbo(m, s, c) = -0.5 * (square(m - c) + square(1.0 - m)) - s * s - log(2.0 * pi) + log(s) + 0.5 * log(2.0 * pi) + 0.5

test "the bounds are ordered" {
  fn over(f) = mean(for i in 0..20000 { f() })
  // Means of 20,000 draws, each with a standard error below 0.006; neighbours lie 0.05 apart and more.
  let (w, t) = (0.2, 1.9)
  let q = gaussian(w, t, reparam)
  let low = over(|| elbo(p, q))
  let between = over(|| vr_iwae(p, q, 0.5, 4))
  let weighted = over(|| iwelbo(p, q, 4))
  let path = over(|| tvo(p, q, [0.0, 0.2, 1.0], 30))
  let high = over(|| eubo(p, q, exact, n: 3))
  let higher = over(|| eubo(p, q, exact))
  let chi_bound = cubo(p, q, n: 20000)
  assert close(low, exact_elbo(w, t, 0.0), 0.05)
  assert close(higher, mean_of(|z| weight(z, w, t, 0.0), 0.5, sqrt(0.5)), 0.02)
  assert close(chi_bound, 0.5 * log(mean_of(|z| exp(2.0 * weight(z, w, t, 0.0)), w, t)), 0.03)
  assert close(renyi(p, q, 0.5, n: 20000), 2.0 * log(mean_of(|z| exp(0.5 * weight(z, w, t, 0.0)), w, t)), 0.03)
  assert low < between - 0.05 and between < weighted - 0.05 and weighted < evidence
  assert low < path - 0.05 and path < evidence + 0.02
  assert evidence < high - 0.02 and high < higher - 0.05 and evidence < chi_bound - 0.05
}

// Gradients: by the guide's m and s, and where it says c by the mean of the model's prior, too.
let open_p = joint(c) given {x: 1.0}

fn two(f) = mean_of_two(|y, z| f([weight(y, m, s, c), weight(z, m, s, c)]), m, s)

test "lower bounds" {
  let elbo_slope = grad(exact_elbo(m, s, c), wrt: (m, s, c))
  assert unbiased(|_| grad(elbo(open_p, guide()), wrt: (m, s, c)), truth: elbo_slope)
  assert unbiased(|_| grad(elbo(open_p, scored()), wrt: (m, s, c)), truth: elbo_slope)
  let renyi_slope = grad(two(|r| 2.0 * logmeanexp(0.5 * r)), wrt: (m, s, c))
  assert unbiased(|_| grad(vr_iwae(open_p, guide(), 0.5, 2), wrt: (m, s, c)), truth: renyi_slope)
  assert unbiased(|_| grad(vr_iwae(open_p, scored(), 0.5, 2), wrt: (m, s, c)), truth: renyi_slope)
  let path = grad(two(|r| 0.2 * mean(r) + 0.8 * dot(softmax(0.2 * r), r)), wrt: (m, s, c))
  assert unbiased(|_| grad(tvo(open_p, guide(), [0.0, 0.2, 1.0], 2), wrt: (m, s, c)), truth: path)
  assert unbiased(|_| grad(tvo(open_p, scored(), [0.0, 0.2, 1.0], 2), wrt: (m, s, c)), truth: path, precision: 0.06)
}

test "weighted bounds" {
  // The mean log likelihood is -((1 - m)^2 + s^2) / 2 and a constant.
  let beta = grad(-0.5 * (square(1.0 - m) + s * s) - 3.0 * kl_of(m, s, 0.0, 1.0), wrt: (m, s))
  assert unbiased(|_| grad(beta_elbo(p, guide(), prior(), 3.0), wrt: (m, s)), truth: beta, precision: 0.1)
  let annealed = grad(exact_elbo(m, s, 0.0) + 2.0 * log(s), wrt: (m, s))
  assert unbiased(|_| grad(annealed_elbo(p, guide(), 3.0), wrt: (m, s)), truth: annealed, precision: 0.1)
  // At its greatest the guide is N(1/2, T/2).
  let (m, s) = (0.5, sqrt(1.5))
  assert close(flatten(grad(exact_elbo(m, s, 0.0) + 2.0 * log(s), wrt: (m, s))), [0.0, 0.0], 1e-12)
}

test "upper bounds" {
  let chi_slope = grad(mean_of(|z| exp(2.0 * (weight(z, m, s, c) + 1.5)), m, s), wrt: (m, s, c))
  assert unbiased(|_| grad(chi(open_p, guide(), shift: -1.5), wrt: (m, s, c)), truth: chi_slope)
  assert unbiased(|_| grad(chi(open_p, scored(), shift: -1.5), wrt: (m, s, c)), truth: chi_slope)
  let one = grad(mean_of(|z| weight(z, m, s, 0.0), 0.5, sqrt(0.5)), wrt: (m, s))
  assert unbiased(|_| grad(eubo(p, guide(), exact), wrt: (m, s)), truth: one)
  let pair = grad(
    mean_of(
      |y| mean_of(|z| logmeanexp([weight(y, m, s, 0.0), weight(z, m, s, 0.0)]), m, s),
      0.5,
      sqrt(0.5)
    ),
    wrt: (m, s)
  )
  assert unbiased(|_| grad(eubo(p, guide(), exact, n: 2), wrt: (m, s)), truth: pair)
  assert unbiased(|_| grad(eubo(p, scored(), exact, n: 2), wrt: (m, s)), truth: pair, precision: 0.1)
  // Biased by the logarithm, less so with more draws.
  let log_slope = grad(0.5 * log(mean_of(|z| exp(2.0 * weight(z, m, s, 0.0)), m, s)), wrt: (m, s))
  assert close(flatten(grad(cubo(p, guide(), n: 100000), wrt: (m, s))), flatten(log_slope), 0.03)
  assert close(flatten(grad(cubo(p, scored(), n: 100000), wrt: (m, s))), flatten(log_slope), 0.03)
}

test "gradients with less variance" {
  let elbo_slope = grad(exact_elbo(m, s, c), wrt: (m, s, c))
  assert unbiased(|_| grad(sticking(open_p, guide()), wrt: (m, s, c)), truth: elbo_slope)
  assert unbiased(|_| grad(sticking(open_p, scored()), wrt: (m, s, c)), truth: elbo_slope)
  let slope = grad(two(logmeanexp), wrt: (m, s, c))
  assert unbiased(|_| grad(iwelbo(open_p, guide(), 2), wrt: (m, s, c)), truth: slope)
  // Whatever the guide says, its sites are reparameterised.
  assert unbiased(|_| grad(dreg(open_p, guide(), 2), wrt: (m, s, c)), truth: slope)
  assert unbiased(|_| grad(dreg(open_p, scored(), 2), wrt: (m, s, c)), truth: slope)
  assert unbiased(|_| grad(vimco(open_p, guide(), 2), wrt: (m, s, c)), truth: slope)
  assert unbiased(|_| grad(vimco(open_p, guide(), 5), wrt: (m, s, c)), against: |_| grad(iwelbo(open_p, guide(), 5), wrt: (m, s, c)))
  // In an `expect` no score is counted twice.
  assert unbiased(|_| grad(expect { vimco(open_p, scored(), 2) }, wrt: (m, s, c)), truth: slope)
  // Near the posterior, by half of the variance and less.
  let (m, s) = (0.5, 0.72)
  let q = gaussian(m, s, reparam)
  fn spread_of(f) = var(for i in 0..4000 { grad(f(), wrt: m) })
  assert spread_of(|| sticking(p, q)) < 0.5 * spread_of(|| elbo(p, q))
  assert spread_of(|| dreg(p, q, 8)) < 0.5 * spread_of(|| iwelbo(p, q, 8))
  assert spread_of(|| vimco(p, q, 8)) < 0.5 * spread_of(|| iwelbo(p, gaussian(m, s, reinforce), 8))
}

test "divergences" {
  let forward = grad(kl_of(0.5, sqrt(0.5), m, s), wrt: (m, s))
  assert unbiased(|_| grad(forward_kl(exact, guide()), wrt: (m, s)), truth: forward)
  // By what is drawn from.
  let backward = grad(kl_of(m, s, 0.5, sqrt(0.5)), wrt: (m, s))
  assert unbiased(|_| grad(forward_kl(guide(), exact), wrt: (m, s)), truth: backward)
  assert unbiased(|_| grad(jeffreys(exact, guide()), wrt: (m, s)), truth: forward + backward)
  fn slope(f) = grad(mean_of(|z| f(weight(z, m, s, c)), m, s), wrt: (m, s, c))
  fn right(f, q) = unbiased(|_| grad(f_divergence(open_p, q, f), wrt: (m, s, c)), truth: slope(f), precision: 0.06).holds
  assert right(generators.kl, guide()) and right(generators.kl, scored())
  assert right(generators.hellinger, guide()) and right(generators.hellinger, scored())
  assert right(generators.jensen_shannon, guide()) and right(alpha_generator(0.5), guide())
  // |grad log p - grad log q| = 1 - 2 z + (z - m) / s^2.
  let truth = grad(square(1.0 - 2.0 * m) + square(1.0 / s - 2.0 * s), wrt: (m, s))
  assert unbiased(|_| grad(fisher(p, guide()), wrt: (m, s)), truth: truth)
  assert unbiased(|_| grad(fisher(p, scored()), wrt: (m, s)), truth: truth)
}

test "score matching" {
  let loss = score_matching(guide(), {z: 1.1})
  assert close(loss, 0.5 * square(1.1 - m) / s^4 - 1.0 / s^2, 1e-12)
  // Half the Fisher divergence, up to a constant: the same gradient for data from N(1/2, 1/2).
  let truth = grad(0.5 * mean_of(|x| square((0.5 - x) / 0.5 - (m - x) / (s * s)), 0.5, sqrt(0.5)), wrt: (m, s))
  fn data() = stop(normal(0.5, sqrt(0.5)).sample())
  assert unbiased(|_| grad(score_matching(guide(), {z: data()}), wrt: (m, s)), truth: truth)
}

test "the discrepancy of means" {
  // E k(x, y) where x - y is N(d, v).
  fn kernel_mean(d, v) = exp(-0.5 * d * d / (1.44 + v)) * 1.2 / sqrt(1.44 + v)
  fn squared(m, s) = kernel_mean(0.0, 1.0) + kernel_mean(0.0, 2.0 * s * s) - 2.0 * kernel_mean(m - 0.5, 0.5 + s * s)
  fn drawn(_) = mmd(exact, guide(), gaussian_kernel(1.2))
  assert unbiased(drawn, truth: squared(m, s), precision: 0.1)
  assert unbiased(|_| grad(drawn(0), wrt: (m, s)), truth: grad(squared(m, s), wrt: (m, s)))
}

test "the tail's weights" {
  // Of two traces the one with the greater weight has half of them above or with it, so it counts twice.
  fn weighted(r) = dot(stop(select(r == max(r), 2.0, 1.0) / 3.0), r)
  // By the trace only: the guide's own parameters are held.
  fn held(z) = log_normal(z, 0.0, 1.0) + log_normal(1.0, z, 1.0) - log_normal(z, stop(m), stop(s))
  let truth = grad(mean_of_two(|y, z| weighted([held(y), held(z)]), m, s), wrt: (m, s))
  assert unbiased(|_| grad(tail_adaptive(p, guide(), 2), wrt: (m, s)), truth: truth, precision: 0.05)
}

test "wake and sleep" {
  let slope = grad(two(logmeanexp), wrt: c)
  assert unbiased(|_| grad(wake_model(open_p, guide(), 2), wrt: c), truth: slope)
  fn guided(y, z) {
    let r = [weight(y, stop(m), stop(s), c), weight(z, stop(m), stop(s), c)]
    dot(softmax(r), [log_normal(y, m, s), log_normal(z, m, s)])
  }
  let guide_slope = grad(mean_of_two(guided, stop(m), stop(s)), wrt: (m, s))
  assert unbiased(|_| grad(wake_guide(open_p, guide(), 2), wrt: (m, s)), truth: guide_slope)
  assert unbiased(|_| grad(rws(open_p, guide(), 2), wrt: (m, s, c)), truth: (guide_slope[0], guide_slope[1], slope))
  // With many traces that of KL(posterior, q), changed in sign.
  let limit = grad(-kl_of(0.5, sqrt(0.5), m, s), wrt: (m, s))
  assert close(flatten(grad(wake_guide(open_p, guide(), 200000), wrt: (m, s))), flatten(limit), 0.02)
}

param a = 0.2
param b = 0.3

test "dreams" {
  model recognised(x) { z ~ normal(a + b * x, s) }
  // z - b x - a has the mean -a and the variance (1 - b)^2 + b^2.
  let truth = grad(-0.5 * (a * a + square(1.0 - b) + b * b) / (s * s) - log(s), wrt: (a, b, s))
  assert unbiased(|_| grad(sleep(joint(0.0), |t| recognised(t.x), [.x]), wrt: (a, b, s)), truth: truth)
}

// An auxiliary that the guide leaves out.
model auxiliary() { u ~ normal(0.0, 0.5) }

model mixed() {
  u ~ normal(0.0, 0.5)
  z ~ normal(m + u, s)
}

test "all sites by one strategy" {
  let q = marginal(mixed(), keep: [.z], with: importance(|_| auxiliary(), n: 2))
  fn bound(strategy) = expect {
    let (t, lq) = sample(q, strategy: strategy)
    logdensity(p, t) - lq
  }
  assert unbiased(|_| grad(bound(reparam), wrt: (m, s)), against: |_| grad(elbo(p, q), wrt: (m, s)), precision: 0.1)
}

test "points" {
  let z = 0.5
  assert close(grad(posterior_mode(p, {z: z}), wrt: z), 0.0, 1e-12)
  let y = 1.0
  assert close(grad(likelihood(p, {z: y}, prior()), wrt: y), 0.0, 1e-12)
  assert close(likelihood(p, {z: y}, prior()), -0.5 * log(2.0 * pi), 1e-12)
}
