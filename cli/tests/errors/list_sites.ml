use std.dist.normal
model a() { x ~ normal(0.0, 1.0) }
model b() { y ~ normal(0.0, 1.0) }
model m() { for p in [a(), b()] { h ~ p } }
model n() {
  for first in [true, false] {
    if first { x ~ normal(0.0, 1.0) }
    y ~ normal(0.0, 1.0)
  }
}
test "items" { assert is_finite(sample(n())[1]) }
