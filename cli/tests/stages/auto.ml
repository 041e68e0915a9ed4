// Sites that leave the choice of their estimators to measuring.

use std.dist.{normal, bernoulli}
use std.estimators.auto
use std.optim.sgd
param m = 0.5
param p = 0.3
stage fit = train for 100 steps {
  maximize expect {
    z ~ normal(m, 1.0) via auto
    b ~ bernoulli(p) via auto
    z * z * b + b
  } over m, p using sgd(lr: 0.01)
}
