// A plain draw where a derivative passes, in an objective.
use std.dist.normal
use std.optim.sgd
param m = 0.5
stage fit = train for 1 steps { minimize square(normal(m, 1.0).sample()) over m using sgd(lr: 0.1) }
