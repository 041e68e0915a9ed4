// Steps of variational inference on the noisy cone: by reparameterisation and by scores, for one draw and for 64, and bounds of 5
// and 50 particles. `mlc bench` times a step of each.

use std.dist.normal
use std.estimators.{reparam, reinforce}
use std.vi.{elbo, iwelbo}
use std.optim.adam

model cone() {
  x ~ normal(0.0, 10.0)
  y ~ normal(0.0, 10.0)
  let r = x^2 + y^2
  z ~ normal(r, 0.1 + r / 100.0)
}

param at = [3.0, 0.0]
param scale = [1.0, 1.0]

model guide(strategy) {
  x ~ normal(at[0], exp(scale[0])) via strategy
  y ~ normal(at[1], exp(scale[1])) via strategy
}

fn p() = cone() given {z: 5.0}

stage elbo_reparam_b1 = train for 1000 steps {
  maximize elbo(p(), guide(reparam)) over at, scale using adam(lr: 1e-2)
}

stage elbo_reparam_b64 = train for 1000 steps {
  maximize mean(for i in 0..64 { elbo(p(), guide(reparam)) }) over at, scale using adam(lr: 1e-2)
}

stage elbo_reinforce_b1 = train for 1000 steps {
  maximize elbo(p(), guide(reinforce)) over at, scale using adam(lr: 1e-2)
}

stage elbo_reinforce_b64 = train for 1000 steps {
  maximize mean(for i in 0..64 { elbo(p(), guide(reinforce)) }) over at, scale using adam(lr: 1e-2)
}

stage iwelbo_k5_b1 = train for 1000 steps {
  maximize iwelbo(p(), guide(reparam), 5) over at, scale using adam(lr: 1e-2)
}

stage iwelbo_k5_b64 = train for 1000 steps {
  maximize mean(for i in 0..64 { iwelbo(p(), guide(reparam), 5) }) over at, scale using adam(lr: 1e-2)
}

stage iwelbo_k50_b1 = train for 1000 steps {
  maximize iwelbo(p(), guide(reparam), 50) over at, scale using adam(lr: 1e-2)
}

stage iwelbo_k50_b64 = train for 1000 steps {
  maximize mean(for i in 0..64 { iwelbo(p(), guide(reparam), 50) }) over at, scale using adam(lr: 1e-2)
}
