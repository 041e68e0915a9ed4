// A comparison in a later iteration of a loop, of what was reparameterised in an earlier one.
use std.dist.normal
param m = 0.5
fn f() = expect {
  scan (at = 0.0) for i in 0..5 {
    z ~ normal(m, 1.0) via reparam
    next at = if at > 1.0 { at } else { at + z }
  }
}
test "a loop" { assert is_finite(grad(f(), wrt: m)) }
