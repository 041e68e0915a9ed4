use std.dist.normal

param w = [1.0, 2.0]

model m() { y ~ normal(sum(w), 1.0) }

test "a shape" { assert is_finite(sample(lift(m(), {w: normal(0.0, 1.0)}))[1]) }
