use std.dist.{normal, bernoulli}
model m() {
  z ~ normal(0.0, 1.0)
}
let l = logdensity(m() given {w: 1.0}, {z: 0.0})
