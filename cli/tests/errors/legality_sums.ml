// Exact sums: over reals, over what is observed, and over what the model gives back.
use std.dist.{normal, categorical}
use std.inference.marginal
model mixture() {
  k ~ categorical([0.3, 0.7])
  x ~ normal(real(k), 1.0)
}
test "over reals" { assert is_finite(logdensity(marginal(mixture(), sum: .x), {k: 0.0})) }
test "over the observed" { assert is_finite(logdensity(marginal(mixture() given {k: 1.0}, sum: .k), {x: 0.0})) }
test "over no site" { assert is_finite(logdensity(marginal(mixture(), sum: .y), {x: 0.0})) }
