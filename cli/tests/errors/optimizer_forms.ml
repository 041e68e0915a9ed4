use std.optim.sgd
optimizer half(inner) for all p, g { inner(p.a, g.a) }
param a = 1.0
param b = 1.0
stage s = train for 2 steps { minimize a * b over a, b using half(inner: sgd(lr: 0.1)) }
