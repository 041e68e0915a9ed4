// A model that two pipelines use: one that has data, and one that has only what was learned of them.

use std.dist.{normal, half_normal}

model line(x: real[n]) {
  slope ~ normal(0.0, 10.0)
  noise ~ half_normal(1.0)
  for v in x { y ~ normal(slope * v, noise) }
}
