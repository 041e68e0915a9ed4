use std.dist.bernoulli
use std.estimators.mvd

let p = for i in 0..24 { 0.5 }

test "a product" {
  assert grad(expect { prod(for q in p { z ~ bernoulli(q) via mvd(order: 2); z }) }, wrt: p)[0] > 0.0
}
