// Distributions that declare no weak derivative.
use std.dist.{student_t, laplace}
use std.estimators.mvd
param m = 0.3
fn heavy() = expect {
  z ~ student_t(5.0, m, 1.0) via mvd
  square(z)
}
fn pointed() = expect {
  z ~ laplace(m, 1.0) via mvd
  square(z)
}
test "heavy" { assert is_finite(grad(heavy(), wrt: m)) }
test "pointed" { assert is_finite(grad(pointed(), wrt: m)) }
