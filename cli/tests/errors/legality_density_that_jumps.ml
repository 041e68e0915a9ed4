// The density of one site jumps in the value of another, which is reparameterised.
use std.dist.{normal, uniform}
use std.vi.elbo
param m = 0.1
model p() {
  z ~ normal(0.0, 1.0)
  x ~ uniform(z - 3.0, z + 3.0)
}
model q() { z ~ normal(m, 0.1) via reparam }
test "an edge" { assert is_finite(grad(elbo(p() given {x: 0.2}, q()), wrt: m)) }
