precision f64

use checks.{continuous}
use std.dist.{gamma, inverse_gamma, exponential, weibull, pareto}
use std.dist.{uniform, beta, kumaraswamy, relaxed_bernoulli, mixture, normal, student_t, transformed}
use std.supports.positive

test "gamma" { assert continuous(|t| gamma(t[0], t[1]), [2.5, 1.3], other: [3.0, 2.0]) }
test "gamma, with a shape below 1" { assert continuous(|t| gamma(t[0], t[1]), [0.6, 1.3], other: [0.8, 2.0]) }
test "inverse_gamma" { assert continuous(|t| inverse_gamma(t[0], t[1]), [5.5, 1.3], other: [3.0, 2.0]) }
test "exponential" { assert continuous(|t| exponential(t[0]), [1.3], other: [2.0]) }
test "weibull" { assert continuous(|t| weibull(t[0], t[1]), [1.5, 1.3], other: [2.0, 2.0]) }
test "pareto" { assert continuous(|t| pareto(t[0], t[1]), [1.5, 5.3], other: [1.2, 2.0]) }
test "uniform" { assert continuous(|t| uniform(t[0], t[1]), [-0.3, 1.3], other: [-0.5, 2.0]) }
test "beta" { assert continuous(|t| beta(t[0], t[1]), [1.5, 2.3], other: [2.2, 1.3]) }
test "kumaraswamy" { assert continuous(|t| kumaraswamy(t[0], t[1]), [1.5, 2.3]) }
test "relaxed_bernoulli" { assert continuous(|t| relaxed_bernoulli(t[0], p: t[1]), [0.7, 0.3]) }
test "relaxed_bernoulli, by logits" { assert continuous(|t| relaxed_bernoulli(t[0], logits: t[1]), [0.7, 0.3]) }
test "mixture" {
  fn two(t) = mixture(for i in 0..2 { normal(t[i], 0.7 + 0.2 * real(i)) }, logits: [0.0, t[2]])
  assert continuous(two, [-0.5, 1.0, 0.4])
}
test "mixture of two families" {
  fn two(t) = mixture([normal(t[0], 0.7), student_t(5.0, t[1], 1.0)], p: [t[2], 1.0 - t[2]])
  assert continuous(two, [-0.5, 1.0, 0.4])
}
test "transformed" {
  assert continuous(|t| transformed(normal(t[0], t[1]), positive), [0.4, 1.3])
}

test "quantiles of a gamma, far out, and their derivatives" {
  let q = [1e-12, 1e-6, 0.01, 0.3, 0.5, 0.9, 0.999]
  let off = for a in [0.05, 0.6, 2.5, 40.0, 3000.0] {
    for v in q { gamma(a, 1.3).cdf(gamma(a, 1.3).quantile(v)) / v - 1.0 }
  }
  assert max(abs(off)) < 1e-9
  let a = 2.5
  let slope = for v in q { grad(gamma(a, 1.3).quantile(v), wrt: a) }
  let difference = for v in q { (gamma(a + 1e-5, 1.3).quantile(v) - gamma(a - 1e-5, 1.3).quantile(v)) / 2e-5 }
  assert close(slope, difference, 1e-7)
  let p = 0.3
  assert close(grad(gamma(a, 1.3).quantile(p), wrt: p) * exp(gamma(a, 1.3).logpdf(gamma(a, 1.3).quantile(p))), 1.0, 1e-9)
}
