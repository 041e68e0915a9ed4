// Weak derivatives are right for one derivative only.
use std.dist.normal
use std.estimators.mvd
param m = 0.3
fn f() = expect {
  z ~ normal(m, 1.0) via mvd
  square(z)
}
test "twice" { assert is_finite(grad(grad(f(), wrt: m), wrt: m)) }
