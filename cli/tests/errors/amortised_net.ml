use std.dist.normal
use std.auto.amortised
use std.nn.dense

model m() { for i in 0..3 { x ~ normal(0.0, 1.0) } }

net lane = dense(1, 4)

test "a net of another size" { assert is_finite(sample(amortised(m(), [.x], lane, zeros(3, 1)))[1]) }
