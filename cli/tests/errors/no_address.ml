use std.dist.normal
use std.inference.{marginal, importance}
model m() {
  u ~ normal(0.0, 1.0)
  x ~ normal(u, 1.0)
}
model r() { u ~ normal(0.0, 1.0) }
let a = only({x: 1.0, h: {w: 2.0}}, [.h.v])
let b = merge({x: 1.0, h: {w: 2.0}}, {h: {w: 3.0}})
test "a site that is not there" {
  assert is_finite(logdensity(marginal(m(), keep: [.y], with: importance(|_| r())), {y: 1.0}))
}
