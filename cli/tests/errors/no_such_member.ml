use std.dist.{normal, bernoulli}
let d = normal(0.0, 1.0)
let y = d.skewness(1.0)
