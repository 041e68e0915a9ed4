use std.dist.normal

estimator squared(d, k) {
  let x = stop(d.sample())
  k(x) * k(x)
}

test "a mean" {
  assert expect { x ~ normal(0.0, 1.0) via squared; x } > 0.0
}
