use std.optim.sgd
param w = zeros(3)
stage s = train for 2 steps {
  minimize w * w over w using sgd(lr: 0.1)
}
