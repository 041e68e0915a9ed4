// A site of each strategy: what the estimators make of an expected value, and of its gradient.

use std.dist.{normal, bernoulli}
use std.estimators.{reparam, reinforce}
use std.optim.sgd

param m = 0.5
param p = 0.3

stage fit = train for 1 steps {
  maximize expect {
    z ~ normal(m, 1.0) via reparam
    b ~ bernoulli(p) via reinforce
    z * z * b
  } over m, p using sgd(lr: 0.1)
}
