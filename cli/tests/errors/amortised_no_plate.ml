use std.dist.normal
use std.auto.amortised
use std.nn.dense

model m() {
  z ~ normal(0.0, 1.0)
  for i in 0..3 { x ~ normal(z, 1.0) }
}

net lane = dense(1, 2)

test "no plate" { assert is_finite(sample(amortised(m(), [.z], lane, zeros(3, 1)))[1]) }
