use std.dist.{normal, bernoulli}
use std.vi.elbo
use std.optim.{sgd, adam}
param p: real = 0.3
stage fit = train for 3 steps {
  maximize expect {
    z ~ bernoulli(p) via reparam
    real(z)
  } over p using adam(lr: 0.1)
}
