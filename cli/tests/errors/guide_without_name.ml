use std.dist.normal
use std.auto.mean_field
use std.vi.elbo
use std.optim.adam

param mu = 0.0

model m() { z ~ normal(mu, 1.0) }

stage s = train for 3 steps { maximize elbo(m(), mean_field(m())) over mu using adam(lr: 0.1) }
