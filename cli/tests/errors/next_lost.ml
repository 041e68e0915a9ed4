use std.optim.sgd
net counted()(x: real) {
  param w = 1.0
  state n = 0
  next n = n + 1
  w * x
}
net m = counted()
stage s = train for 1 steps { minimize m(1.0)^2 over m using sgd(lr: 0.1) }
