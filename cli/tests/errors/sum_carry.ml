dist flip(p) on unit {
  logpdf(x) = log(if x > 0.5 { p } else { 1.0 - p })
  sample() = real(rand() < p)
  support() = [0.0, 1.0]
}
use std.dist.normal
model counted(y: real[n]) {
  scan (c = 0.0) for v in y {
    s ~ flip(0.3)
    y ~ normal(c, 1.0)
    next c = c + s
  }
}
test "a count of all past values" { assert is_finite(logdensity(counted(ones(3)) given {y: ones(3)}, {}, sum: .s)) }
model collected() {
  let z = for i in 0..3 {
    s ~ flip(0.3)
    s
  }
  y ~ normal(sum(z), 1.0)
}
test "all lanes at once" { assert is_finite(logdensity(collected() given {y: 1.0}, {}, sum: .s)) }
model shifting() {
  scan (a = 0.0) for i in 0..3 {
    s ~ flip(0.3 + 0.1 * a)
    next a = s + real(i)
  }
}
test "another function each time" { assert is_finite(logdensity(shifting(), {}, sum: .s)) }
model shown() {
  let (_, all) = scan (a = 0.0) for i in 0..3 {
    s ~ flip(0.3 + 0.1 * a)
    next a = s
    yield a
  }
}
test "a yield" { assert is_finite(logdensity(shown(), {}, sum: .s)) }
model under() {
  c ~ flip(0.5)
  if c > 0.5 { s ~ flip(0.2) } else { s ~ flip(0.3) }
}
test "under a condition" { assert is_finite(logdensity(under(), {c: 1.0}, sum: .s)) }
