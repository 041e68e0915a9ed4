use std.optim.sgd
param w = [1.0, 2.0]
stage s = train for 2 steps {
  let v = for x in w {
    minimize x * x over w using sgd(lr: 0.1)
    x
  }
}
