use std.optim.sgd
param a: real = 1.0
stage s = compute {
  minimize a * a over a using sgd(lr: 0.1)
}
