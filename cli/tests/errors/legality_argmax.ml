// The place of the largest of reparameterised draws.
use std.dist.normal
param m = [0.5, 1.0, 1.5]
fn winner() = expect {
  z ~ normal(m, 1.0) via reparam
  real(argmax(z))
}
test "an argmax" { assert is_finite(sum(grad(winner(), wrt: m))) }
