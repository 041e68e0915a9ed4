use std.dist.normal
use std.inference.{marginal, importance}
model m() {
  u ~ normal(0.0, 1.0)
  x ~ normal(u, 1.0)
}
model r() { u ~ normal(0.0, 1.0) }
test "names are no addresses" {
  assert is_finite(logdensity(marginal(m(), keep: ["x"], with: importance(|_| r())), {x: 1.0}))
}
