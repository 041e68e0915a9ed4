use std.dist.normal
use std.auto.noncentred

model m() { z ~ normal(1.0, 2.0) }

test "a name" { assert is_finite(sample(noncentred(m(), .y))[1]) }
