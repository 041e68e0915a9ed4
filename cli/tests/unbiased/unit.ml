precision f64

use integrands.{unbiased_at, straight_at, between}
use strategies.{reparam, reinforce, average, antithetic, quasi, mirrored_paths, lattice_of_paths, auto}
use std.dist.{uniform, beta, kumaraswamy, relaxed_bernoulli}

let by_quantile = [reparam, reinforce, average, antithetic, quasi, mirrored_paths, lattice_of_paths, auto]

fn whole(t) = between(0.4, low: 0.0, high: 1.0)
fn off(x) = 3.0 * (x - 0.4)

// Where the support moves there are paths only.
test "uniform" {
  fn moving(t) = between(0.4, low: t[0], high: t[1])
  let paths = [reparam, mirrored_paths, lattice_of_paths, auto]
  assert unbiased_at(|t| uniform(t[0], t[1]), [-0.3, 1.3], paths, moving, of: off)
  assert unbiased_at(|t| uniform(0.0, 1.0), [0.7], by_quantile, whole, of: off)
  assert straight_at(|t| uniform(t[0], t[1]), [-0.3, 1.3], moving, of: off)
}

test "beta" {
  assert unbiased_at(|t| beta(t[0], t[1]), [1.5, 2.3], [reparam, reinforce, average, auto], whole, of: off)
  assert straight_at(|t| beta(t[0], t[1]), [1.5, 2.3], whole, of: off)
}

test "beta, with shapes below 1" {
  assert unbiased_at(|t| beta(t[0], t[1]), [0.5, 0.8], [reparam, reinforce, average, auto], whole, of: off)
}

test "kumaraswamy" {
  assert unbiased_at(|t| kumaraswamy(t[0], t[1]), [1.5, 2.3], by_quantile, whole, of: off)
  assert straight_at(|t| kumaraswamy(t[0], t[1]), [1.5, 2.3], whole, of: off)
}

test "relaxed_bernoulli" {
  assert unbiased_at(|t| relaxed_bernoulli(t[0], p: t[1]), [0.7, 0.3], by_quantile, whole, of: off)
  assert unbiased_at(|t| relaxed_bernoulli(t[0], logits: t[1]), [0.7, 0.3], by_quantile, whole, of: off)
}
