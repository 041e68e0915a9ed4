// Arguments outside what a distribution declares.
use std.dist.{normal, gamma, uniform}
fn f() = expect {
  z ~ normal(0.0, -1.0)
  z
}
fn g() = expect {
  z ~ gamma(0.0, 1.0)
  z
}
test "a negative width" { assert is_finite(f()) }
test "no shape" { assert is_finite(g()) }
