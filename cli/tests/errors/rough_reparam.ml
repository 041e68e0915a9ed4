use std.dist.normal
use std.optim.sgd
param m = 0.0
stage fit = train for 5 steps {
  minimize expect {
    x ~ normal(m, 1.0) via reparam
    if x > 0.0 { x } else { 2.0 }
  } over m using sgd(lr: 0.1)
}
