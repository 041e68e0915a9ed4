// Relaxations and couplings of coins, at sites that are none.
use std.dist.{poisson, normal}
use std.estimators.{rebar, arm, relax}
param r = 2.0
fn counts() = expect {
  z ~ poisson(r) via rebar
  square(z)
}
fn reals() = expect {
  z ~ normal(r, 1.0) via arm
  square(z)
}
test "counts" { assert is_finite(grad(counts(), wrt: r)) }
test "reals" { assert is_finite(grad(reals(), wrt: r)) }
