use std.dist.normal
model inner() {
  w ~ normal(0.0, 1.0)
  v ~ normal(w, 1.0)
}
model outer() {
  h ~ inner()
  x ~ normal(h, 1.0)
}
test "a number for a model" { assert is_finite(sample(outer() given {h: 1.0})[1]) }
test "a record for a site" { assert is_finite(sample(outer() given {x: {w: 1.0}})[1]) }
test "no such site inside" { assert is_finite(sample(outer() given {h: {u: 1.0}})[1]) }
