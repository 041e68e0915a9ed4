use std.optim.{sgd, clip_norm}
param w = 1.0
stage s = train for 2 steps { minimize w * w over w using 0.1 |> sgd(lr: 0.1) }
