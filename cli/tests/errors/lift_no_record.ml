use std.dist.normal

param w = 1.0

model m() { y ~ normal(w, 1.0) }

test "no record" { assert is_finite(sample(lift(m(), normal(0.0, 1.0)))[1]) }
