use std.dist.normal
dist index(n) on natural {
  logpdf(x) = -log(real(n)) + 0.0 * x
  sample() = floor(real(n) * rand())
  support() = real(iota(n))
}
model m() {
  a ~ index(300)
  b ~ index(300)
  x ~ normal(a * b, 1.0)
}
test "too many pairs" { assert is_finite(logdensity(m(), {x: 1.0}, sum: [.a, .b])) }
model pairs() {
  scan (c = 0.0) for i in 0..3 {
    a ~ index(20)
    b ~ index(20)
    next c = a + b
  }
}
test "too many pairs in a chain" { assert is_finite(logdensity(pairs(), {}, sum: [.a, .b])) }
