// How many reparameterised draws are smaller than another.
use std.dist.normal
param m = 0.5
fn ranked() = expect {
  let z = for i in 0..4 { z ~ normal(m * real(i), 1.0) via reparam }
  real(argsort(z)[0])
}
test "an order" { assert is_finite(grad(ranked(), wrt: m)) }
