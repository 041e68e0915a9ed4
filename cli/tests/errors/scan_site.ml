use std.dist.bernoulli
use std.estimators.enumerate
use std.optim.sgd

param p = 0.5

stage fit = train for 1 steps {
  maximize expect {
    scan (n = 0.0) for t in 0..4 {
      z ~ bernoulli(p) via enumerate
      next n = n + z
    }
  } over p using sgd(lr: 0.1)
}
