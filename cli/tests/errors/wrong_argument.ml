use std.optim.adam
param w = 0.0
stage fit = train for 5 steps { minimize w * w over w using adam(rate: 0.1) }
