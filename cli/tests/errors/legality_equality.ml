// Equality of a reparameterised draw with a number.
use std.dist.exponential
param rate = 0.5
fn hits() = expect {
  z ~ exponential(rate) via reparam
  real(round(z) == 2.0)
}
test "equal" { assert is_finite(grad(hits(), wrt: rate)) }
