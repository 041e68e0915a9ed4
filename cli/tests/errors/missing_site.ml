use std.optim.sgd
use std.dist.normal
use std.vi.elbo
param m = 0.0
model p() {
  z ~ normal(0.0, 1.0)
  w ~ normal(z, 1.0)
}
model q() { z ~ normal(m, 1.0) }
stage fit = train for 5 steps { maximize elbo(p(), q()) over m using sgd(lr: 0.1) }
