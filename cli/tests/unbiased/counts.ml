precision f64

use integrands.{unbiased_at, straight_at, counted}
use strategies.{reparam, reinforce, enumerate, enumerate_top, mvd, average, antithetic, quasi, auto}
use std.dist.{poisson, geometric, binomial, negative_binomial, zero_inflated, discrete_uniform, multinomial, mixture}

fn few(t) = counted(8)
fn many(t) = counted(80)
fn off(x) = 0.7 * (x - 1.5)

test "poisson" {
  assert unbiased_at(|t| poisson(t[0]), [1.7], [reinforce, mvd, average, antithetic, quasi, auto], many, of: off)
  assert straight_at(|t| poisson(t[0]), [1.7], many, of: off)
}

test "poisson, of a large rate" {
  fn by_two(x) = 0.3 * (x - 13.5)
  assert unbiased_at(|t| poisson(t[0]), [13.0], [reinforce, mvd, quasi], many, of: by_two)
}

test "geometric" {
  let all = [reinforce, mvd, average, antithetic, quasi, auto]
  assert unbiased_at(|t| geometric(t[0]), [0.4], all, many, of: off)
  assert straight_at(|t| geometric(t[0]), [0.4], many, of: off)
}

test "binomial" {
  let all = [reinforce, enumerate, enumerate_top, average, antithetic, quasi, auto]
  assert unbiased_at(|t| binomial(5, t[0]), [0.4], all, few, of: off)
  assert unbiased_at(|t| binomial(5, logits: t[0]), [0.4], [reinforce, enumerate], few, of: off)
  assert straight_at(|t| binomial(5, t[0]), [0.4], few, of: off)
}

test "binomial, of many trials" {
  fn by_two(x) = 0.3 * (x - 13.5)
  assert unbiased_at(|t| binomial(40, t[0]), [0.35], [reinforce], many, of: by_two)
}

test "negative_binomial" {
  assert unbiased_at(|t| negative_binomial(t[0], t[1]), [1.7, 2.2], [reinforce, average, antithetic, quasi, auto], |t| counted(300), of: off)
  assert straight_at(|t| negative_binomial(t[0], t[1]), [1.7, 2.2], |t| counted(300), of: off)
}

test "zero_inflated" {
  let all = [reinforce, average, antithetic, quasi, auto]
  assert unbiased_at(|t| zero_inflated(t[0], poisson(t[1])), [0.3, 1.7], all, many, of: off)
  assert straight_at(|t| zero_inflated(t[0], poisson(t[1])), [0.3, 1.7], many, of: off)
}

test "zero_inflated, of finitely many" {
  let all = [reinforce, enumerate, enumerate_top, average, antithetic, quasi, auto]
  assert unbiased_at(|t| zero_inflated(t[0], binomial(3, t[1])), [0.3, 0.6], all, few, of: off)
}

// It has no parameter of its own with a derivative.
test "discrete_uniform" {
  let all = [reinforce, enumerate, enumerate_top, average, antithetic, quasi, auto]
  assert unbiased_at(|t| discrete_uniform(0, 4), [0.7], all, few, of: off)
  assert straight_at(|t| discrete_uniform(0, 4), [0.7], few, of: off)
}

// A count of it is binomial.
test "multinomial" {
  fn three(t) = multinomial(4, logits: t)
  fn first(t) = binomial(4, softmax(t)[0])
  let all = [reinforce, average, auto]
  assert unbiased_at(three, [0.4, 0.0, -0.6], all, few, law: first, see: |x| x[0], of: off)
  fn shares(t) = multinomial(4, [t[0], t[1], 1.0 - t[0] - t[1]])
  fn last(t) = binomial(4, 1.0 - t[0] - t[1])
  assert unbiased_at(shares, [0.3, 0.25], all, few, law: last, see: |x| x[2], of: off)
  assert straight_at(three, [0.4, 0.0, -0.6], few, law: first, see: |x| x[0], of: off)
}

test "mixture" {
  fn two(t) = mixture(for i in 0..2 { poisson(t[i]) }, p: [t[2], 1.0 - t[2]])
  assert unbiased_at(two, [0.8, 2.5, 0.4], [reinforce, average, auto], many, of: off)
}
