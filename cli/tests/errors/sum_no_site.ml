dist flip(p) on unit {
  logpdf(x) = log(if x > 0.5 { p } else { 1.0 - p })
  sample() = real(rand() < p)
  support() = [0.0, 1.0]
}
model m() { s ~ flip(0.3) }
test "no such site" { assert is_finite(logdensity(m(), {s: 1.0}, sum: .r)) }
test "observed already" { assert is_finite(logdensity(m() given {s: 1.0}, {}, sum: .s)) }
