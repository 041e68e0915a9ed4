// What is left of a marginal model is not easily drawn.
use std.dist.normal
use std.inference.{marginal, importance}
model m() {
  u ~ normal(0.0, 1.0)
  x ~ normal(u, 1.0)
  y ~ normal(x, 1.0)
}
model r() { u ~ normal(0.0, 1.0) }
test "a draw" {
  let (t, _) = sample(marginal(m(), keep: [.x, .y], with: importance(|_| r(), n: 4)) given {y: 1.0})
  assert is_finite(t.x)
}
