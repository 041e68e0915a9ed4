use std.optim.sgd
param w = 1.0
stage fit = train for 5 steps {
  minimize w * w over w using sgd(lr: 0.1)
  every 2 steps { skip nan }
}
