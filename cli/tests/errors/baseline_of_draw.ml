use std.dist.normal
use std.estimators.reinforce

test "a mean" {
  assert expect { x ~ normal(0.0, 1.0) via reinforce(baseline: |cost| 0.5 * cost); x } > 0.0
}
