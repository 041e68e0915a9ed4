// relu has a kink, through which derivatives pass; a comparison jumps.
use std.dist.normal
param m = 0.5
fn kinked() = expect {
  z ~ normal(m, 1.0) via reparam
  relu(z) + abs(z)
}
fn jumps() = expect {
  z ~ normal(m, 1.0) via reparam
  if z > 0.0 { 1.0 } else { 0.0 }
}
test "a kink" { assert is_finite(grad(kinked(), wrt: m)) }
test "a jump" { assert is_finite(grad(jumps(), wrt: m)) }
