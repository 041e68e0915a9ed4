use std.optim.sgd
param a: real = 1.0
stage s = train b in 3.0 for 2 epochs {
  minimize a * a over a using sgd(lr: 0.1)
}
