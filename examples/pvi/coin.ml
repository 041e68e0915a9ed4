// A coin's fairness, with a guide of the beta family: draws of it have derivatives by their parameters though nothing maps noise to
// them (implicit reparameterisation: Figurnov, Mohamed and Mnih 2018). The posterior is known: Beta(16, 14).

use std.dist.{bernoulli, beta}
use std.vi.elbo
use std.optim.adam
use std.schedules

let small = false
let steps = if small { 300 } else { 4000 }
let flips = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]

param a in positive = 10.0
param b in positive = 10.0

model coin() {
  f ~ beta(10.0, 10.0)
  for i in 0..10 { y ~ bernoulli(f) }
}

model guide() { f ~ beta(a, b) via reparam }

stage fit = train for steps steps {
  maximize mean(for i in 0..128 { elbo(coin() given {y: flips}, guide()) })
    over a, b
    using adam(lr: schedules.cosine(0.05, steps))
  every 100 steps { log mean = a / (a + b), sd = sqrt(a * b / (a + b + 1.0)) / (a + b) }
}

stage check = compute after fit {
  let n = 1000
  log elbo = mean(for i in 0..n { elbo(coin() given {y: flips}, guide()) })
  log mean = a / (a + b), sd = sqrt(a * b / (a + b + 1.0)) / (a + b)
}

test "the posterior of 6 heads in 10" {
  let tol = if small { 0.02 } else { 1e-3 }
  assert close(check.log.mean[0], 16.0 / 30.0, tol)
  assert close(check.log.sd[0], 0.0896, tol)
  assert close(check.log.elbo[0], -7.06937, 10.0 * tol)
}
