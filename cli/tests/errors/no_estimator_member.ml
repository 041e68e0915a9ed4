use std.dist.{normal, bernoulli}
use std.vi.elbo
use std.optim.{sgd, adam}
param m: real = 0.0
dist odd(mu) on real {
  sample() = mu
}
stage fit = train for 3 steps {
  maximize expect {
    z ~ odd(m) via reinforce
    z
  } over m using adam(lr: 0.1)
}
