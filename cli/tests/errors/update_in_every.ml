use std.optim.sgd
param w = 1.0
stage s = train for 2 steps {
  every 1 step { minimize w * w over w using sgd(lr: 0.1) }
}
