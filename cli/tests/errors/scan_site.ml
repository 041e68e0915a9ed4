use std.dist.normal
use std.optim.sgd

param m = 0.0

stage s = train for 1 steps {
  minimize expect {
    scan (x = 0.0) for i in 0..3 {
      z ~ normal(m, 1.0)
      next x = x + z
    }
  } over m using sgd(lr: 0.1)
}
