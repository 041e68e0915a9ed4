// A reparameterised draw says which row of a table is taken.
use std.dist.normal
param m = 1.0
let table = [1.0, 4.0, 9.0]
fn looked_up() = expect {
  z ~ normal(m, 1.0) via reparam
  table [int(clip(z, 0.0, 2.0))]
}
test "an index" { assert is_finite(grad(looked_up(), wrt: m)) }
