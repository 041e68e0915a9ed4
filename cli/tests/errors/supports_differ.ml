// The guide draws every real, and the model's scale is positive: half of the draws have no density.
use std.dist.normal
use std.vi.elbo
dist exponential(rate) on positive {
  logpdf(x) = log(rate) - rate * x
  noise() = rand(shape(rate))
  transform(e) = -log(e) / rate
}
model p() { s ~ exponential(1.0) }
model q() { s ~ normal(1.0, 1.0) }
test "a guide that is too wide" { assert is_finite(elbo(p(), q())) }
model wide() { for i in 0..3 { s ~ normal(0.0, 1.0) } }
model narrow() { for i in 0..3 { s ~ exponential(1.0) } }
test "a guide that is too narrow" { assert is_finite(elbo(wide(), narrow())) }
