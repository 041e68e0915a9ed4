use std.optim.{sgd, sam}
param w = 1.0
stage s = train for 2 steps { update w by w using sam(inner: sgd(lr: 0.1)) }
