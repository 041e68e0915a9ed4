use std.dist.{normal, bernoulli}
let y = expect {
  z ~ normal(0.0, 1.0) via 3.0
  z
}
