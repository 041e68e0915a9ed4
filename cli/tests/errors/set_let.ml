let a = 1.0
use std.optim.sgd
param w: real = 1.0
stage s = train for 2 steps {
  minimize w * w over w using sgd(lr: 0.1)
  set a = 2.0
}
