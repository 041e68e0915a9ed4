// The support moves with a parameter: a score knows nothing of what enters and leaves it.
use std.dist.uniform
use std.estimators.reinforce
param top = 3.0
fn spread() = expect {
  z ~ uniform(0.0, top) via reinforce
  square(z)
}
test "an edge" { assert is_finite(grad(spread(), wrt: top)) }
