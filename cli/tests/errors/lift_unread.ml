use std.dist.normal

param w = 1.0
let twice = 2.0 * w

model m() { y ~ normal(twice, 1.0) }

test "a parameter that is not read" { assert is_finite(sample(lift(m(), {w: normal(0.0, 1.0)}))[1]) }
