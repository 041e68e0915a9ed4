use std.dist.{normal, bernoulli}
use std.vi.elbo
use std.optim.{sgd, adam}
param m: real = 0.0
model p() {
  z ~ normal(0.0, 1.0)
}
model q() {
  z ~ normal(m, 1.0)
  w ~ normal(m, 1.0)
}
stage fit = train for 3 steps {
  maximize elbo(p(), q()) over m using adam(lr: 0.1)
}
