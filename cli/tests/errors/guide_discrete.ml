use std.dist.{bernoulli, normal}
use std.auto.mean_field

model m() {
  z ~ bernoulli(0.5)
  x ~ normal(z, 1.0)
}

model guide = mean_field(m() given {x: 0.3})

test "a draw" { assert is_finite(sample(guide)[0].z) }
