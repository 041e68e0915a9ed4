// Objectives on a conjugate model: z ~ N(0, 1), x ~ N(z, 1), seen at 1. The posterior is N(1/2, 1/2), the evidence N(1; 0, 2), and r, the
// log weight of the guide N(m, s^2), a parabola. Truths are closed forms, or integrals by the trapezoid rule on a grid, whose
// error is far below the tests' precision. `unbiased` errs with a probability of at most 1e-9 each way. // slow by the interpreter
precision f64

use std.dist.{normal, bernoulli}
use std.estimators.{reparam, reinforce, enumerate}
use std.testing.unbiased
use std.vi.{elbo, iwelbo}
use std.vi.bounds.{
  vr_iwae,
  chi,
  cubo,
  renyi,
  eubo,
  tvo,
  beta_elbo,
  annealed_elbo,
  posterior_mode,
  likelihood,
}
use std.vi.divergences.{
  forward_kl,
  jeffreys,
  f_divergence,
  generators,
  alpha_generator,
  tail_adaptive,
  fisher,
  score_matching,
  mmd,
  gaussian_kernel,
}
use std.vi.gradients.{sticking, dreg, vimco}
use std.vi.wake_sleep.{wake_model, wake_guide, sleep, rws}

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
  let l = elbo(p, guide())
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
  assert is_finite(l)
}
