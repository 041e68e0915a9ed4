// An estimator of one's own that squares the rest of the expectation.
use std.dist.normal
param m = 0.3
estimator squared(d, k) where scored(d) {
  let x = stop(d.sample())
  k(x) * k(x) * exp(tangent(d.logpdf(x)))
}
fn f() = expect {
  z ~ normal(m, 1.0) via squared
  z + 1.0
}
test "squared" { assert is_finite(grad(f(), wrt: m)) }
