use std.optim.sgd
let x = linspace(1.0, 3.0, 3)
param w = 0.4
stage fit = train for 50 steps {
  minimize mean(for a in x { log(1.5 - a * w) }) over w using sgd(lr: 0.1)
}
