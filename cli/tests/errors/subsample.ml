use std.dist.normal
model few(x) { for v in x, of: 3 { y ~ normal(v, 1.0) } }
test "more lanes than rows" { assert is_finite(sample(few(ones(4)))[1]) }
model grid(x) { for v in x, i in 0..2, of: 10 { y ~ normal(v, 1.0) } }
test "two generators" { assert is_finite(sample(grid(ones(4)))[1]) }
let outside = for v in ones(4), of: 10 { v }
