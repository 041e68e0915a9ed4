precision f64

use integrands.{unbiased_at, straight_at, between}
use strategies.{reparam, reinforce, mvd, average, antithetic, quasi, mirrored_paths, lattice_of_paths, auto}
use std.dist.{normal, cauchy, student_t, laplace, logistic, gumbel, von_mises, mixture}

fn line(t) = between(0.5)

test "normal" {
  let all = [reparam, reinforce, mvd, average, antithetic, quasi, mirrored_paths, lattice_of_paths, auto]
  assert unbiased_at(|t| normal(t[0], t[1]), [0.4, 1.3], all, line)
  assert straight_at(|t| normal(t[0], t[1]), [0.4, 1.3], line)
}

let by_quantile = [reparam, reinforce, average, antithetic, quasi, mirrored_paths, lattice_of_paths, auto]

test "cauchy" { assert unbiased_at(|t| cauchy(t[0], t[1]), [0.4, 0.8], by_quantile, line) }

test "student_t" {
  assert unbiased_at(|t| student_t(t[0], t[1], t[2]), [1.5, 0.0, 0.8], [reparam, reinforce, average, auto], line)
  assert straight_at(|t| student_t(t[0], t[1], t[2]), [1.5, 0.0, 0.8], line)
}

test "laplace" {
  assert unbiased_at(|t| laplace(t[0], t[1]), [0.0, 0.8], by_quantile, line)
  assert straight_at(|t| laplace(t[0], t[1]), [0.0, 0.8], line)
}

test "logistic" {
  assert unbiased_at(|t| logistic(t[0], t[1]), [0.2, 0.7], by_quantile, line)
  assert straight_at(|t| logistic(t[0], t[1]), [0.2, 0.7], line)
}

test "gumbel" {
  assert unbiased_at(|t| gumbel(t[0], t[1]), [0.0, 0.7], by_quantile, line)
  assert straight_at(|t| gumbel(t[0], t[1]), [0.0, 0.7], line)
}

// Of a place on the circle: what is not would see where draws begin and end.
test "von_mises" {
  fn turn(t) = between(0.5, low: t[0] - pi, high: t[0] + pi)
  let all = [reparam, reinforce, average, auto]
  assert unbiased_at(|t| von_mises(t[0], t[1]), [0.3, 1.3], all, turn, of: |x| sin(x - 0.5))
  assert straight_at(|t| von_mises(t[0], t[1]), [0.3, 1.3], turn, of: |x| sin(x - 0.5))
}

test "mixture" {
  fn two(t) = mixture(for i in 0..2 { normal(t[i], 0.8) }, logits: [0.0, t[2]])
  assert unbiased_at(two, [-0.5, 1.0, 0.4], [reparam, reinforce, average, auto], line)
  assert straight_at(two, [-0.5, 1.0, 0.4], line)
}

test "mixture, of two families" {
  fn two(t) = mixture([normal(t[0], 0.7), laplace(t[1], 1.0)], p: [t[2], 1.0 - t[2]])
  assert unbiased_at(two, [-0.5, 1.0, 0.4], [reparam, reinforce, average, auto], line)
}
