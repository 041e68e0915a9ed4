precision f64

use integrands.{unbiased_at, straight_at, between}
use strategies.{reparam, reinforce, mvd, average, antithetic, quasi, mirrored_paths, lattice_of_paths, auto}
use std.dist.{half_normal, half_cauchy, log_normal, gamma, inverse_gamma, exponential, weibull, pareto, transformed}
use std.dist.{truncated_normal, normal}
use std.supports.positive

let by_quantile = [reparam, reinforce, average, antithetic, quasi, mirrored_paths, lattice_of_paths, auto]
let with_weak = [reparam, reinforce, mvd, average, antithetic, quasi, mirrored_paths, lattice_of_paths, auto]

fn half_line(t) = between(0.5, low: 0.0)

test "half_normal" {
  assert unbiased_at(|t| half_normal(t[0]), [1.3], by_quantile, half_line)
  assert straight_at(|t| half_normal(t[0]), [1.3], half_line)
}

test "half_cauchy" { assert unbiased_at(|t| half_cauchy(t[0]), [0.8], by_quantile, half_line) }

test "log_normal" {
  assert unbiased_at(|t| log_normal(t[0], t[1]), [0.0, 0.7], by_quantile, half_line)
  assert straight_at(|t| log_normal(t[0], t[1]), [0.0, 0.7], half_line)
}

test "gamma" {
  assert unbiased_at(|t| gamma(t[0], t[1]), [1.7, 1.3], with_weak, half_line)
  assert straight_at(|t| gamma(t[0], t[1]), [1.7, 1.3], half_line)
}

test "gamma, with a shape below 1" {
  assert unbiased_at(|t| gamma(t[0], t[1]), [0.6, 0.9], [reparam, reinforce, mvd, lattice_of_paths], half_line)
}

test "inverse_gamma" {
  assert unbiased_at(|t| inverse_gamma(t[0], t[1]), [2.5, 1.3], by_quantile, half_line)
  assert straight_at(|t| inverse_gamma(t[0], t[1]), [2.5, 1.3], half_line)
}

test "exponential" {
  assert unbiased_at(|t| exponential(t[0]), [1.3], with_weak, half_line)
  assert straight_at(|t| exponential(t[0]), [1.3], half_line)
}

test "weibull" {
  assert unbiased_at(|t| weibull(t[0], t[1]), [1.5, 1.3], by_quantile, half_line)
  assert straight_at(|t| weibull(t[0], t[1]), [1.5, 1.3], half_line)
}

// Where the support moves there are paths only.
test "pareto" {
  fn from(t) = between(1.7, low: t[0])
  let paths = [reparam, mirrored_paths, lattice_of_paths, auto]
  assert unbiased_at(|t| pareto(t[0], t[1]), [1.1, 1.6], paths, from, of: |x| x - 1.7)
  assert unbiased_at(|t| pareto(1.1, t[0]), [1.6], by_quantile, |t| between(1.7, low: 1.1), of: |x| x - 1.7)
  assert straight_at(|t| pareto(t[0], t[1]), [1.1, 1.6], from, of: |x| x - 1.7)
}

test "truncated_normal" {
  assert unbiased_at(|t| truncated_normal(t[0], t[1], low: 0.0), [0.3, 1.3], by_quantile, half_line)
  fn within(t) = between(0.5, low: -0.4, high: 1.8)
  assert unbiased_at(|t| truncated_normal(t[0], t[1], low: -0.4, high: 1.8), [0.3, 1.3], by_quantile, within)
  fn from(t) = between(0.5, low: t[2])
  assert unbiased_at(|t| truncated_normal(t[0], t[1], low: t[2]), [0.3, 1.3, -0.5], [reparam, mirrored_paths, lattice_of_paths, auto], from)
  assert straight_at(|t| truncated_normal(t[0], t[1], low: 0.0), [0.3, 1.3], half_line)
}

test "transformed" {
  fn soft(t) = transformed(normal(t[0], t[1]), positive)
  assert unbiased_at(soft, [0.2, 0.9], [reparam, reinforce, average, auto], half_line)
}
