use std.optim.sgd

param w = 1.0

stage fit = train for 3 steps { minimize (w - 2.0)^2 over w using sgd(lr: 0.1) }

stage look = report after fit { table w, title: "w" }
