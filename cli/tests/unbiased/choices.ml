precision f64

use integrands.{unbiased_at, straight_at, relaxed_at, counted, between}
use strategies.{reparam, reinforce, enumerate, enumerate_top, mvd, average, antithetic, quasi, rebar, relax, arm, auto}
use strategies.{straight_through, gumbel_softmax}
use std.dist.{bernoulli, categorical, one_hot_categorical, ordered_logistic, relaxed_bernoulli, delta}

fn few(t) = counted(4)
fn off(x) = x - 0.6

test "bernoulli" {
  let all = [reinforce, enumerate, enumerate_top, mvd, average, antithetic, quasi, rebar, relax, arm, auto]
  fn two(t) = counted(2)
  fn inner(t) = between(0.6, low: 0.0, high: 1.0)
  assert unbiased_at(|t| bernoulli(t[0]), [0.3], all, two, of: off)
  assert unbiased_at(|t| bernoulli(logits: t[0]), [-0.7], all, two, of: off)
  assert straight_at(|t| bernoulli(t[0]), [0.3], two, of: off)
  assert straight_at(|t| bernoulli(logits: t[0]), [-0.7], two, of: off)
  assert relaxed_at(|t| bernoulli(t[0]), [0.3], inner, law: |t| relaxed_bernoulli(0.5, p: t[0]), of: off)
}

fn shares(t) = [t[0], t[1], 1.0 - t[0] - t[1]]

test "categorical" {
  let all = [reinforce, enumerate, enumerate_top, mvd, average, antithetic, quasi, auto]
  assert unbiased_at(|t| categorical(logits: t), [0.4, 0.0, -0.6], all, few, of: off)
  assert unbiased_at(|t| categorical(shares(t)), [0.3, 0.5], all, few, of: off)
  assert straight_at(|t| categorical(logits: t), [0.4, 0.0, -0.6], few, of: off)
}

test "one_hot_categorical" {
  let all = [reinforce, enumerate, enumerate_top, mvd, average, rebar, relax, auto]
  let index = |x| dot(x, [0.0, 1.0, 2.0])
  fn place(t) = categorical(logits: t)
  assert unbiased_at(|t| one_hot_categorical(logits: t), [0.4, 0.0, -0.6], all, few, law: place, see: index, of: off)
  fn by_shares(t) = one_hot_categorical(shares(t))
  assert unbiased_at(by_shares, [0.3, 0.5], all, few, law: |t| categorical(shares(t)), see: index, of: off)
  assert straight_at(|t| one_hot_categorical(logits: t), [0.4, 0.0, -0.6], few, law: place, see: index, of: off)
  // Of two the first is relaxed as a coin is.
  fn inner(t) = between(0.6, low: 0.0, high: 1.0)
  fn coin(t) = relaxed_bernoulli(0.5, logits: t[0] - t[1])
  assert relaxed_at(|t| one_hot_categorical(logits: t), [0.4, 1.1], inner, law: coin, see: |x| x[0], of: off)
}

test "ordered_logistic" {
  let all = [reinforce, enumerate, enumerate_top, mvd, average, antithetic, quasi, auto]
  assert unbiased_at(|t| ordered_logistic(t[0], t[1..]), [0.3, -0.6, 0.5, 1.4], all, few, of: off)
  assert straight_at(|t| ordered_logistic(t[0], t[1..]), [0.3, -0.6, 0.5, 1.4], few, of: off)
}

// Its one point moves, and there is no score of it.
test "delta" {
  fn point(t) = (t, [1.0])
  assert unbiased_at(|t| delta(t[0]), [0.9], [reparam, enumerate, enumerate_top, auto], point, of: off)
  assert straight_at(|t| delta(t[0]), [0.9], point, of: off)
}
