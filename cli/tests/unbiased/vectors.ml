precision f64

use integrands.{unbiased_at, straight_at, between}
use strategies.{reparam, reinforce, average, auto}
use std.dist.{multivariate_normal, multivariate_t, wishart, lkj_cholesky, dirichlet, relaxed_one_hot}
use std.dist.{normal, student_t, gamma, beta, relaxed_bernoulli}

let all = [reparam, reinforce, average, auto]

fn line(t) = between(0.5)
fn half_line(t) = between(2.5, low: 0.0)
fn inner(t) = between(0.4, low: 0.0, high: 1.0)
fn off(x) = 3.0 * (x - 0.4)

// A sum of elements, by weights, is a number whose distribution is known.
let w = [0.8, -0.5]
fn sum_of(x) = dot(w, x)

fn lower(a, b, c) = stack([stack([a, 0.0]), stack([b, c])])
fn symmetric(a, b, c) = stack([stack([a, b]), stack([b, c])])
fn spread_of(c) = sqrt(dot(w, c @ w))

test "multivariate_normal, by scale" {
  fn made(t) = multivariate_normal(t[0..2], scale: lower(t[2], t[3], t[4]))
  fn law(t) = normal(sum_of(t[0..2]), norm(w @ lower(t[2], t[3], t[4])))
  let at = [0.4, -0.3, 1.2, 0.4, 0.8]
  assert unbiased_at(made, at, all, line, law: law, see: sum_of)
  assert straight_at(made, at, line, law: law, see: sum_of)
}

test "multivariate_normal, by covariance" {
  fn made(t) = multivariate_normal(t[0..2], covariance: symmetric(t[2], t[3], t[4]))
  fn law(t) = normal(sum_of(t[0..2]), spread_of(symmetric(t[2], t[3], t[4])))
  assert unbiased_at(made, [0.4, -0.3, 1.2, 0.4, 0.8], all, line, law: law, see: sum_of)
}

test "multivariate_normal, by precision" {
  fn made(t) = multivariate_normal(t[0..2], precision: symmetric(t[2], t[3], t[4]))
  fn law(t) {
    let d = t[2] * t[4] - t[3] * t[3]
    normal(sum_of(t[0..2]), spread_of(symmetric(t[4] / d, -t[3] / d, t[2] / d)))
  }
  assert unbiased_at(made, [0.4, -0.3, 1.2, 0.4, 0.8], all, line, law: law, see: sum_of)
}

test "multivariate_normal, by its diagonal" {
  fn made(t) = multivariate_normal(t[0..2], diagonal: t[2..4])
  fn law(t) = normal(sum_of(t[0..2]), sqrt(dot(w * w, t[2..4])))
  assert unbiased_at(made, [0.4, -0.3, 1.2, 0.8], all, line, law: law, see: sum_of)
}

test "multivariate_normal, by its diagonal and a factor" {
  fn factor(t) = reshape(t[4..6], 2, 1)
  fn made(t) = multivariate_normal(t[0..2], diagonal: t[2..4], factor: factor(t))
  fn law(t) = normal(sum_of(t[0..2]), sqrt(dot(w * w, t[2..4]) + square(dot(w, t[4..6]))))
  assert unbiased_at(made, [0.4, -0.3, 0.9, 0.8, 0.5, -0.6], all, line, law: law, see: sum_of)
}

test "multivariate_t" {
  fn made(t) = multivariate_t(t[0], t[1..3], lower(t[3], t[4], t[5]))
  fn law(t) = student_t(t[0], sum_of(t[1..3]), norm(w @ lower(t[3], t[4], t[5])))
  let at = [1.5, 0.4, -0.3, 1.2, 0.4, 0.8]
  assert unbiased_at(made, at, all, line, law: law, see: sum_of)
  assert straight_at(made, at, line, law: law, see: sum_of)
}

// The square of a sum of elements has a gamma distribution.
test "wishart" {
  fn made(t) = wishart(t[0], lower(t[1], t[2], t[3]))
  fn law(t) = gamma(0.5 * t[0], 0.5 / sqnorm(w @ lower(t[1], t[2], t[3])))
  fn of(x) = 0.5 * (x - 2.5)
  fn squared(x) = dot(w, x @ w)
  let at = [3.5, 1.2, 0.4, 0.8]
  assert unbiased_at(made, at, all, half_line, law: law, see: squared, of: of)
  assert straight_at(made, at, half_line, law: law, see: squared, of: of)
}

// Each correlation r has (1 + r) / 2 from a beta distribution.
test "lkj_cholesky" {
  fn made(t) = lkj_cholesky(3, t[0])
  fn law(t) = beta(t[0] + 0.5, t[0] + 0.5)
  fn second(l) = 0.5 + 0.5 * dot(l[1], l[2])
  assert unbiased_at(made, [1.2], all, inner, law: law, see: |l| 0.5 + 0.5 * l[1, 0], of: off)
  assert unbiased_at(made, [1.2], all, inner, law: law, see: second, of: off)
}

test "dirichlet" {
  fn made(t) = dirichlet(t)
  fn law(t) = beta(t[0], t[1] + t[2])
  assert unbiased_at(made, [1.3, 0.7, 1.1], all, inner, law: law, see: |x| x[0], of: off)
  assert straight_at(made, [1.3, 0.7, 1.1], inner, law: law, see: |x| x[0], of: off)
}

test "relaxed_one_hot" {
  fn made(t) = relaxed_one_hot(t[0], logits: t[1..])
  fn law(t) = relaxed_bernoulli(t[0], logits: t[1] - t[2])
  assert unbiased_at(made, [0.7, 0.4, -0.2], all, inner, law: law, see: |x| x[0], of: off)
  fn by_shares(t) = relaxed_one_hot(t[0], p: [t[1], 1.0 - t[1]])
  fn coin(t) = relaxed_bernoulli(t[0], p: t[1])
  assert unbiased_at(by_shares, [0.7, 0.4], all, inner, law: coin, see: |x| x[0], of: off)
}
