// What an estimator within another one needs.
use std.dist.poisson
use std.estimators.{average, enumerate}
param r = 2.0
fn counts() = expect {
  z ~ poisson(r) via average(n: 4, inner: enumerate)
  square(z)
}
test "counts" { assert is_finite(grad(counts(), wrt: r)) }
