// Estimators that use the rest of an expectation more than once, in a loop that is not unrolled.
use std.dist.{bernoulli, normal}
use std.estimators.{enumerate, mvd, rebar}
param p = 0.4
fn counted(e) = expect {
  scan (n = 0.0) for i in 0..6 {
    z ~ bernoulli(p) via e
    next n = n + z
  }
}
test "all values" { assert is_finite(grad(counted(enumerate), wrt: p)) }
test "pairs" { assert is_finite(grad(counted(mvd), wrt: p)) }
test "a relaxation" { assert is_finite(grad(counted(rebar), wrt: p)) }
