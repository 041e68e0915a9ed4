use std.dist.normal
use std.auto.mean_field

model m() { z ~ normal(zeros(2), 1.0) }

model guide = mean_field(m())

test "other parameters" { assert is_finite(sample(guide.with({loc: zeros(3), sd: ones(2)}))[1]) }
