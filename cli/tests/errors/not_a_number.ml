use std.optim.sgd
param w = 1.0
stage fit = train for 5 steps { minimize log(w) * w over w using sgd(lr: 10.0) }
