use std.dist.normal
use std.vi.elbo
model inner() {
  w ~ normal(0.0, 1.0)
  for i in 0..3 { v ~ normal(w, 1.0) }
}
model outer() { h ~ inner() }
test "a site is missing" { assert is_finite(logdensity(outer(), {h: {w: 1.0}})) }
test "a site too many" { assert is_finite(logdensity(outer(), {h: {w: 1.0, v: zeros(3), u: 0.0}})) }
test "a model is missing" { assert is_finite(logdensity(outer(), {})) }
test "another number of lanes" { assert is_finite(logdensity(outer() given {h: {v: zeros(2)}}, {h: {w: 1.0}})) }
model guide() {
  for i in 0..2 { h ~ normal(0.0, 1.0) }
}
model plate() { for i in 0..3 { h ~ normal(0.0, 1.0) } }
test "a guide of another size" { assert is_finite(elbo(plate(), guide())) }
