use std.dist.normal

param w = 1.0

model m() { y ~ normal(w, 1.0) }

test "a prior" { assert is_finite(sample(lift(m(), {w: 0.0}))[1]) }
