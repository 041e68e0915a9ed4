// Products of an estimate with itself: plain, of two results of one block, in a loop.
use std.dist.normal

param m = 0.5

fn both() = expect {
  x ~ normal(m, 1.0)
  (x, x * x)
}

test "plain" {
  let (a, _) = both()
  assert is_finite(grad(a * a, wrt: m))
}

test "of one block" {
  let (a, b) = both()
  assert is_finite(grad(a * b, wrt: m))
}

test "of a gradient" {
  let (a, _) = both()
  assert is_finite(grad(sqnorm(grad(a, wrt: m)), wrt: m))
}

test "in a loop" {
  let (a, _) = both()
  let p = scan (p = 1.0) for i in 0..3 { next p = p * a }
  assert is_finite(grad(p, wrt: m))
}
