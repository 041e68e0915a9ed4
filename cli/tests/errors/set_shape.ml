use std.optim.sgd
param w: real = 1.0
state c: real = 0.0
stage s = train for 2 steps {
  minimize w * w over w using sgd(lr: 0.1)
  set c = zeros(3)
}
