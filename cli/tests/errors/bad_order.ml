use std.dist.normal

estimator none(d, k) where order 0 {
  k(stop(d.sample()))
}

test "a mean" {
  assert expect { x ~ normal(0.0, 1.0) via none; x } > 0.0
}
