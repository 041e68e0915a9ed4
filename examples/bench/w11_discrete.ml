// Ten truth values of which 16 noisy sums are seen: the gradient of the ELBO by summing over all 1024 states, by scores and by
// measure-valued derivatives.

use std.dist.{bernoulli, normal}
use std.estimators.{enumerate, reinforce, mvd}
use std.vi.elbo
use std.optim.adam

fn made(weights) = weights @ real(rand(10) < 0.5) + randn(16)

let weights = randn([16, 10])
let seen = made(weights)

param phi = zeros(10)

model p() {
  z ~ bernoulli(0.3 * ones(10))
  y ~ normal(weights @ z, 1.0)
}

model q(strategy) { z ~ bernoulli(logits: phi) via strategy }

fn bound(strategy) = elbo(p() given {y: seen}, q(strategy))

stage enum_sites = train for 200 steps { maximize bound(enumerate) over phi using adam(lr: 1e-2) }

stage reinforce_b1 = train for 200 steps { maximize bound(reinforce) over phi using adam(lr: 1e-2) }

stage reinforce_b64 = train for 200 steps {
  maximize mean(for i in 0..64 { bound(reinforce) }) over phi using adam(lr: 1e-2)
}

stage mvd_b1 = train for 200 steps { maximize bound(mvd) over phi using adam(lr: 1e-2) }
