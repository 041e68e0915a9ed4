use std.dist.uniform
use std.estimators.reinforce

param top = 2.0

test "a score does not see the end" {
  assert is_finite(grad(expect { x ~ uniform(0.0, top) via reinforce; x * x }, wrt: top))
}
