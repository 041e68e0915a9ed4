use std.optim.{sgd, sam}
param w = 1.0
stage s = train for 2 steps { update w by w using sam(inner: sgd(lr: 0.1)) }

// What runs on each tensor alone has no objective to hand on.
optimizer each(inner) for p, g {
  inner(p, g)
}
stage t = train for 2 steps { minimize w * w over w using each(sam(inner: sgd(lr: 0.1))) }
