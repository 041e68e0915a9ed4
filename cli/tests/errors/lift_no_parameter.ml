use std.dist.normal

let v = 1.0

model m() { y ~ normal(v, 1.0) }

test "a name" { assert is_finite(sample(lift(m(), {v: normal(0.0, 1.0)}))[1]) }
