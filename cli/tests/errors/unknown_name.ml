use std.optim.sgd
param weight = 0.0
stage fit = train for 10 steps { minimize (wieght - 1.0)^2 over weight using sgd(lr: 0.1) }
