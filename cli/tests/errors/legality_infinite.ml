// Supports that cannot be gone over.
use std.dist.{poisson, normal}
use std.estimators.enumerate
param rate = 2.0
fn counts() = expect {
  z ~ poisson(rate) via enumerate
  square(z)
}
fn reals() = expect {
  z ~ normal(rate, 1.0) via enumerate
  square(z)
}
test "counts" { assert is_finite(grad(counts(), wrt: rate)) }
test "reals" { assert is_finite(grad(reals(), wrt: rate)) }
