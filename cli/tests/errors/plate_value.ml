use std.dist.{normal, bernoulli}
model m() {
  let x = for i in 0..3 {
    y ~ normal(0.0, 1.0)
    y
  }
}
let l = logdensity(m() given {y: zeros(4)}, {})
