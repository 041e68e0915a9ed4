// A discrete site has no reparameterisation: no small change of a parameter changes the draw a little.
use std.dist.{bernoulli, categorical, poisson}
param p = 0.4
fn coin() = expect {
  z ~ bernoulli(p) via reparam
  3.0 * z
}
fn count() = expect {
  z ~ poisson(10.0 * p) via reparam
  square(z)
}
fn face() = expect {
  z ~ categorical([p, 0.6 - p, 0.4]) via reparam
  real(z)
}
test "a coin" { assert is_finite(grad(coin(), wrt: p)) }
test "a count" { assert is_finite(grad(count(), wrt: p)) }
test "a face" { assert is_finite(grad(face(), wrt: p)) }
