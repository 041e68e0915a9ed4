// Marginals that keep nothing, keep what is no site, or say nothing of the others.
use std.dist.normal
use std.inference.{marginal, importance}
model m() {
  u ~ normal(0.0, 1.0)
  x ~ normal(u, 1.0)
}
model back() { u ~ normal(0.0, 1.0) }
model all() {
  u ~ normal(0.0, 1.0)
  v ~ normal(0.0, 1.0)
}
test "nothing" { assert is_finite(sample(marginal(m(), keep: [], with: importance(|_| back())))[1]) }
test "no site" { assert is_finite(sample(marginal(m(), keep: [.y], with: importance(|_| back())))[1]) }
test "no strategy" { assert is_finite(sample(marginal(m(), keep: [.x]))[1]) }
test "more than the others" { assert is_finite(sample(marginal(m(), keep: [.x], with: importance(|_| all())))[1]) }
test "no particle" { assert is_finite(sample(marginal(m(), keep: [.x], with: importance(|_| back(), n: 0)))[1]) }
