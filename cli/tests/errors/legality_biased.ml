// Estimators that are biased say so, and so does who uses them: `via biased straight_through`.
use std.dist.{bernoulli, categorical}
use std.estimators.{straight_through, gumbel_softmax}
param p = 0.4
fn through() = expect {
  z ~ bernoulli(p) via straight_through
  square(z - 0.3)
}
test "straight through" { assert is_finite(grad(through(), wrt: p)) }
