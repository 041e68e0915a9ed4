// A guide for a noisy cone, from nothing to trained: 1000 steps of Adam on the ELBO with 64 draws each. Timed as a whole process.

use std.dist.normal
use std.vi.elbo
use std.optim.adam

model cone() {
  x ~ normal(0.0, 10.0)
  y ~ normal(0.0, 10.0)
  let r = x^2 + y^2
  z ~ normal(r, 0.1 + r / 100.0)
}

param at = [3.0, 0.0]
param scale = [1.0, 1.0]

model guide() {
  x ~ normal(at[0], exp(scale[0])) via reparam
  y ~ normal(at[1], exp(scale[1])) via reparam
}

stage fit = train for 1000 steps {
  maximize mean(for i in 0..64 { elbo(cone() given {z: 5.0}, guide()) }) over at, scale using adam(lr: 1e-2)
}

test "the guide is trained" { assert mean(fit.log.objective[900..1000]) > -10.0 }
