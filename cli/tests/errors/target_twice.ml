use std.optim.sgd
param a = 1.0
stage s = train for 2 steps { minimize a * a over a using sgd(lr: 0.1), a using sgd(lr: 0.2) }
