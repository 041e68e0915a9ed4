use std.optim.sgd
param w: real = 1.0
stage s = train for 2 steps {
  minimize w * w over w using sgd(lr: 0.1)
  log loss = w * w
}
stage r = report { plot s.log.lose }
