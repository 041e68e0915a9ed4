// What is drawn depends on what was drawn.
use std.dist.{normal, bernoulli}
model m() {
  b ~ bernoulli(0.5)
  if b > 0.5 { x ~ normal(0.0, 1.0) } else { y ~ normal(0.0, 1.0) }
}
test "other sites" { assert is_finite(sample(m())[1]) }
