// Guides whose addresses are not those of the model's open sites.
use std.dist.normal
use std.vi.elbo
model p() {
  a ~ normal(0.0, 1.0)
  b ~ normal(a, 1.0)
  x ~ normal(b, 1.0)
}
model without_b() { a ~ normal(0.0, 1.0) }
model with_c() {
  a ~ normal(0.0, 1.0)
  b ~ normal(0.0, 1.0)
  c ~ normal(0.0, 1.0)
}
model of_observed() {
  a ~ normal(0.0, 1.0)
  b ~ normal(0.0, 1.0)
  x ~ normal(0.0, 1.0)
}
test "missing" { assert is_finite(elbo(p() given {x: 1.0}, without_b())) }
test "extra" { assert is_finite(elbo(p() given {x: 1.0}, with_c())) }
test "observed" { assert is_finite(elbo(p() given {x: 1.0}, of_observed())) }
