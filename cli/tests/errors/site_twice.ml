use std.dist.{normal, bernoulli}
model m() {
  z ~ normal(0.0, 1.0)
  z ~ normal(0.0, 1.0)
}
let y = sample(m())
