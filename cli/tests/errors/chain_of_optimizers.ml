use std.optim.{sgd, adam}
param w = 1.0
stage s = train for 2 steps { minimize w * w over w using sgd(lr: 0.1) |> adam(lr: 0.1) }
