dist flip(p) on unit {
  logpdf(x) = log(if x > 0.5 { p } else { 1.0 - p })
  sample() = real(rand() < p)
  support() = [0.0, 1.0]
}
use std.vi.elbo
use std.dist.uniform
dist spread() on unit {
  logpdf(x) = 0.0
  sample() = rand()
}
model p() { s ~ flip(0.3) }
model q() { s ~ spread() }
test "a guide between the values" { assert is_finite(elbo(p(), q())) }
