// A doubly reparameterised gradient of a guide whose site has no reparameterisation.
use std.dist.bernoulli
use std.vi.dreg

param p = 0.4

model target() { b ~ bernoulli(0.3) }
model guide() { b ~ bernoulli(p) }

test "no reparameterisation" { assert is_finite(grad(dreg(target(), guide(), 2), wrt: p)) }

test "not an estimator" {
  let (t, _) = sample(target(), strategy: 3.0)
  assert t.b == 1.0
}
