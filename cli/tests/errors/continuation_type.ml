use std.dist.{normal, bernoulli}
use std.vi.elbo
use std.optim.{sgd, adam}
param m: real = 0.0
estimator odd(d, k) {
  k(zeros(3))
}
stage fit = train for 3 steps {
  maximize expect {
    z ~ normal(m, 1.0) via odd
    z
  } over m using adam(lr: 0.1)
}
