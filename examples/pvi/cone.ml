// The noisy cone (Becker et al. 2024, figure 2 and table 4): a posterior on a circle, seen through guides of growing freedom.
// Guide A is mean-field. Guide B draws an angle and goes round the circle; the angle is left out in several ways, from one draw
// to an exact integral, and the bounds tell how well. The values in the tests were computed by quadrature.

use std.dist.{normal, uniform}
use std.inference.{marginal, quadrature, log_evidence, importance}
use std.vi.{elbo, iwelbo, hvi, iwhvi, diwhvi}
use std.optim.{sgd, adam}
use std.schedules

let small = false
let draws = if small { 2000 } else { 100000 }

param m1 = 3.0
param m2 = 0.0
param l1 = 1.0
param l2 = 1.0
param b1 = 0.0
param b2 = 0.0

model cone() {
  x ~ normal(0.0, 10.0)
  y ~ normal(0.0, 10.0)
  let r = x * x + y * y
  z ~ normal(r, 0.1 + r / 100.0)
}

let target = cone() given {z: 5.0}

model mean_field() {
  x ~ normal(m1, exp(l1))
  y ~ normal(m2, exp(l2))
}

model round() {
  u ~ uniform(0.0, 1.0)
  let angle = 2.0 * pi * u
  x ~ normal(sqrt(5.0) * cos(angle), exp(b1))
  y ~ normal(sqrt(5.0) * sin(angle), exp(b2))
}

model angle() { u ~ uniform(0.0, 1.0) }

/// Guide B with its exact density.
fn ring() = marginal(round(), keep: [.x, .y], with: quadrature(if small { 20 } else { 100 }, low: 0.0, high: 1.0))

fn bound_a() = elbo(target, mean_field())
fn bound_a5() = iwelbo(target, mean_field(), 5)
fn bound_b() = hvi(target, round(), [.x, .y], |_| angle())
fn bound_b5() = iwhvi(target, round(), [.x, .y], |_| angle(), 5)
fn bound_b55() = diwhvi(target, round(), [.x, .y], |_| angle(), 5, 5)
fn bound_ring() = elbo(target, ring())

fn mean_of(n, f) = mean(for i in 0..n { f() })

let steps = if small { 300 } else { 5000 }

stage fit_a = train for steps steps {
  maximize mean_of(64, bound_a) over m1, m2, l1, l2 using sgd(lr: 1e-3)
}

stage fit_a5 = train for steps steps after fit_a {
  maximize mean_of(64, bound_a5) over m1, m2, l1, l2 using adam(lr: schedules.cosine(0.01, steps))
}

stage fit_b = train for steps steps {
  maximize mean_of(64, bound_b) over b1, b2 using sgd(lr: 1e-3)
}

stage fit_b5 = train for steps steps {
  maximize mean_of(64, bound_b5) over b1, b2 using sgd(lr: 1e-3)
}

stage fit_b55 = train for steps steps {
  maximize mean_of(64, bound_b55) over b1, b2 using sgd(lr: 1e-3)
}
