// The sign of a reparameterised draw.
use std.dist.normal
param m = 0.5
fn direction() = expect {
  z ~ normal(m, 1.0) via reparam
  sign(z)
}
test "a sign" { assert is_finite(grad(direction(), wrt: m)) }
