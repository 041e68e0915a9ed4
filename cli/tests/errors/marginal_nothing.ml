use std.dist.normal
use std.inference.{marginal, importance}
model m() {
  u ~ normal(0.0, 1.0)
  x ~ normal(u, 1.0)
}
model r() { u ~ normal(0.0, 1.0) }
test "nothing kept" {
  assert is_finite(logdensity(marginal(m(), keep: [], with: importance(|_| r())), {}))
}
