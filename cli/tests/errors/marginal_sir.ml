use std.dist.normal
use std.inference.{marginal, sir}
model m() {
  u ~ normal(0.0, 1.0)
  x ~ normal(u, 1.0)
}
model r() { u ~ normal(0.0, 1.0) }
test "a strategy of another kind" {
  assert is_finite(logdensity(marginal(m(), keep: [.x], with: sir(r(), n: 8)), {x: 1.0}))
}
