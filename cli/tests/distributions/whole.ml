precision f64

use checks.{discrete}
use std.dist.{bernoulli, categorical, ordered_logistic, mixture}
use std.dist.{binomial, geometric, poisson, negative_binomial, discrete_uniform, zero_inflated}

// At points between, a bernoulli has the cross entropy that models of grey pixels are trained with.
test "bernoulli" { assert discrete(|t| bernoulli(t[0]), [0.3], other: [0.6], n: 2, whole: false) }
test "bernoulli, by logits" { assert discrete(|t| bernoulli(logits: t[0]), [0.3], other: [-0.6], n: 2, whole: false) }
test "categorical" {
  fn three(t) = categorical([t[0], t[1], 1.0 - t[0] - t[1]])
  assert discrete(three, [0.3, 0.5], other: [0.6, 0.1], n: 3)
}
test "categorical, by logits" {
  assert discrete(|t| categorical(logits: t), [0.3, 0.5, -1.0], other: [0.6, 0.1, 0.2], n: 3)
}
test "ordered_logistic" { assert discrete(|t| ordered_logistic(t[0], t[1..]), [0.3, -1.0, 0.2, 1.5], n: 4) }
test "binomial" { assert discrete(|t| binomial(7, t[0]), [0.3], n: 8) }
test "binomial, by logits" { assert discrete(|t| binomial(30, logits: t[0]), [0.3], n: 31) }
test "geometric" { assert discrete(|t| geometric(t[0]), [0.3], other: [0.6]) }
test "poisson" { assert discrete(|t| poisson(t[0]), [3.3], other: [2.0], n: 100) }
test "poisson, of a large rate" { assert discrete(|t| poisson(t[0]), [33.0], other: [35.0], n: 200) }
test "negative_binomial" { assert discrete(|t| negative_binomial(t[0], t[1]), [3.3, 2.2]) }
test "discrete_uniform" { assert discrete(|t| discrete_uniform(2, 6), [0.0], low: 2.0, n: 5) }
test "zero_inflated" { assert discrete(|t| zero_inflated(t[0], poisson(t[1])), [0.3, 2.0], n: 100) }
test "zero_inflated, of a finite one" { assert discrete(|t| zero_inflated(t[0], binomial(3, t[1])), [0.3, 0.4], n: 4) }
test "mixture" {
  assert discrete(|t| mixture(for i in 0..2 { poisson(t[i]) }, p: [0.3, 0.7]), [2.0, 5.0], n: 100)
}
