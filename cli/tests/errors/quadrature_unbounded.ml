use std.dist.normal
use std.inference.{marginal, quadrature}
model m() {
  u ~ normal(0.0, 1.0)
  x ~ normal(u, 1.0)
}
test "all reals" {
  assert is_finite(logdensity(marginal(m(), keep: [.x], with: quadrature(10)), {x: 1.0}))
}
