// Plates of other sizes in the guide, in the data, and around no plate at all.
use std.dist.normal
use std.vi.elbo
model p(n) {
  m ~ normal(0.0, 1.0)
  for i in 0..n { x ~ normal(m, 1.0) }
}
model q(n) {
  m ~ normal(0.0, 1.0)
  for i in 0..n { x ~ normal(0.0, 1.0) }
}
test "of the guide" { assert is_finite(elbo(p(5), q(4))) }
test "of the data" { assert is_finite(elbo(p(5) given {x: [1.0, 2.0]}, q(5))) }
test "of no plate" { assert is_finite(logdensity(p(5), {m: 0.0, x: 1.0})) }
test "of a scalar" { assert is_finite(logdensity(p(5) given {m: [1.0, 2.0]}, {x: ones(5)})) }
