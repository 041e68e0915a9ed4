use std.optim.sgd
param w: real = 1.0
param v: real = 1.0
stage s = train for 2 steps {
  minimize w * w over v using sgd(lr: 0.1)
}
