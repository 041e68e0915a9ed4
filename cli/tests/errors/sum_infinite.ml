use std.dist.normal
model m() { z ~ normal(0.0, 1.0) }
test "all reals" { assert is_finite(logdensity(m(), {}, sum: .z)) }
