// In 32 bits: log densities and their derivatives by the place and by all parameters are finite far out, and -inf with
// derivatives of 0 outside the support.

use std.dist.{normal, log_normal, half_normal, truncated_normal, cauchy, half_cauchy, student_t, laplace, logistic}
use std.dist.{gumbel, von_mises, gamma, inverse_gamma, exponential, weibull, pareto, uniform, beta, kumaraswamy}
use std.dist.{bernoulli, categorical, binomial, geometric, poisson, negative_binomial, zero_inflated, mixture}
use std.dist.{ordered_logistic, relaxed_bernoulli}

fn finite(make, at, places) {
  let (l, g, h) = for x in places {
    (make(at).logpdf(x), grad(make(at).logpdf(x), wrt: at), grad(make(at).logpdf(x), wrt: x))
  }
  {holds: all(is_finite(l)) and all(is_finite(g)) and all(is_finite(h)), l, g, h}
}

fn outside(make, at, places) {
  let (l, g) = for x in places { (make(at).logpdf(x), grad(make(at).logpdf(x), wrt: at)) }
  {holds: all(l == -inf) and all(g == 0.0), l, g}
}

let far = [-1e6, -30.0, 30.0, 1e6]
let near_and_far = [1e-30, 1e-6, 1e6, 1e12]
let inner = [1e-30, 1e-6, 0.5, 1.0 - 1e-6]
let counted = [0.0, 1.0, 1000.0, 1e6]
let wrong = [-1.0, -1e10]
let broken = [-1.0, 0.5]

test "on the line" {
  assert finite(|t| normal(t[0], t[1]), [0.4, 1.3], far)
  assert finite(|t| cauchy(t[0], t[1]), [0.4, 1.3], [-1e30, -30.0, 1e30])
  assert finite(|t| student_t(t[0], t[1], t[2]), [3.5, 0.4, 1.3], far)
  assert finite(|t| student_t(t[0], t[1], t[2]), [1e6, 0.4, 1.3], far)
  assert finite(|t| laplace(t[0], t[1]), [0.4, 1.3], far)
  assert finite(|t| logistic(t[0], t[1]), [0.4, 1.3], far)
  assert finite(|t| gumbel(t[0], t[1]), [0.4, 1.3], [-80.0, 30.0, 1e6])
  assert finite(|t| von_mises(t[0], t[1]), [0.4, 1e5], [-3.0, 0.4, 3.0])
  assert finite(|t| von_mises(t[0], t[1]), [0.4, 1e-5], [-3.0, 0.4, 3.0])
  assert finite(|t| truncated_normal(t[0], t[1], low: t[2]), [0.4, 1.3, 40.0], [40.1, 80.0])
  assert finite(|t| truncated_normal(t[0], t[1], low: t[2], high: t[3]), [0.4, 1.3, -50.0, -40.0], [-45.0, -41.0])
  assert finite(|t| mixture(for i in 0..2 { normal(t[i], 1.0) }, logits: [0.0, t[2]]), [0.4, 1.3, 50.0], far)
}

test "above 0" {
  assert finite(|t| log_normal(t[0], t[1]), [0.4, 1.3], near_and_far)
  assert finite(|t| half_normal(t[0]), [1.3], near_and_far)
  assert finite(|t| half_cauchy(t[0]), [1.3], near_and_far)
  assert finite(|t| gamma(t[0], t[1]), [0.1, 1.3], near_and_far)
  assert finite(|t| gamma(t[0], t[1]), [1e4, 1.3], near_and_far)
  assert finite(|t| inverse_gamma(t[0], t[1]), [2.5, 1.3], [1e-15, 1.0, 1e12])
  assert finite(|t| exponential(t[0]), [1.3], near_and_far)
  assert finite(|t| weibull(t[0], t[1]), [1.5, 1.3], near_and_far)
  assert finite(|t| pareto(t[0], t[1]), [1.5, 1.3], [1.5, 2.0, 1e12])
  assert outside(|t| log_normal(t[0], t[1]), [0.4, 1.3], wrong)
  assert outside(|t| gamma(t[0], t[1]), [0.4, 1.3], wrong)
  assert outside(|t| inverse_gamma(t[0], t[1]), [0.4, 1.3], wrong)
  assert outside(|t| exponential(t[0]), [1.3], wrong)
  assert outside(|t| weibull(t[0], t[1]), [1.5, 1.3], wrong)
  assert outside(|t| pareto(t[0], t[1]), [1.5, 1.3], wrong)
}

test "between" {
  assert finite(|t| beta(t[0], t[1]), [0.5, 2.3], inner)
  assert finite(|t| kumaraswamy(t[0], t[1]), [0.5, 2.3], inner)
  assert finite(|t| relaxed_bernoulli(t[0], logits: t[1]), [0.5, 20.0], inner)
  assert outside(|t| beta(t[0], t[1]), [0.5, 2.3], wrong)
  assert outside(|t| kumaraswamy(t[0], t[1]), [0.5, 2.3], wrong)
  assert outside(|t| uniform(t[0], t[1]), [0.5, 2.3], wrong)
}

test "counts" {
  assert finite(|t| bernoulli(logits: t[0]), [90.0], [0.0, 1.0])
  assert finite(|t| bernoulli(logits: t[0]), [-1e6], [0.0, 1.0])
  assert finite(|t| categorical(logits: t), [1e5, 0.0, -1e5], [0.0, 1.0, 2.0])
  assert finite(|t| binomial(1000000, logits: t[0]), [-9.0], counted)
  assert finite(|t| geometric(t[0]), [1e-6], counted)
  assert finite(|t| poisson(t[0]), [1e-6], counted)
  assert finite(|t| negative_binomial(t[0], t[1]), [3.0, 1e6], counted)
  assert finite(|t| zero_inflated(t[0], poisson(t[1])), [1e-6, 3.0], counted)
  assert finite(|t| ordered_logistic(t[0], [-1.0, 0.0, 1.0]), [200.0], [0.0, 1.0, 2.0, 3.0])
  assert outside(|t| poisson(t[0]), [3.0], broken)
  assert outside(|t| geometric(t[0]), [0.3], broken)
  assert outside(|t| negative_binomial(t[0], t[1]), [3.0, 2.0], broken)
  assert outside(|t| binomial(5, t[0]), [0.3], [-1.0, 0.5, 6.0])
  assert outside(|t| categorical(logits: t), [0.3, 0.1], [-1.0, 0.5, 6.0])
}
