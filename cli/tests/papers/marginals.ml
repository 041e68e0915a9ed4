// std.marginals. Covered by examples/papers/mam.ml: that `inconsistency` is 0 of exact marginals, that the mean of `energy_kl` is the
// divergence's derivative, `log_by_conditionals` and `log_normalizer` by all states.
precision f64

use std.marginals.{partly, encoded, log_bernoulli, inconsistency, redrawn, energy_kl, log_by_conditionals, log_normalizer}

// Three independent variables, whose marginals are products.
let logits = [0.4, -1.0, 2.0]

fn odds(s) = logits + 0.0 * real(s)
fn log_p(s) = sum(for (v, l) in (s, logits) { if v == 2 { 0.0 } else { log_bernoulli(v, l) } })
fn log_f(x) = log_p(x) + 1.7

let states = for k in 0..8 { for i in 0..3 { mod(shift_right(k, i), 2) } }

test "partial states" {
  assert all(partly([1, 0, 1], [true, false, true]) == [1, 2, 1])
  assert close(encoded([1, 2]), [0.0, 1.0, 0.0, 0.0, 0.0, 1.0], 0.0)
}

test "one variable" {
  assert close(log_bernoulli(1, 0.4), log(sigmoid(0.4)), 1e-12) and close(log_bernoulli(0, 0.4), log(1.0 - sigmoid(0.4)), 1e-12)
}

test "exact marginals are consistent" {
  assert max(for i in 0..100 { inconsistency(log_p, odds, [1, 0, 1]) }) < 1e-20
  // Others are not.
  assert min(for i in 0..100 { inconsistency(|s| 2.0 * log_p(s), odds, [1, 0, 1]) }) > 1e-3
}

/// Odds of each variable given all that is said of the others, and of itself, which must not be looked at.
fn looking(s) = 0.7 * real(s) + sum(real(s)) - 2.0

test "all states sum to 1" {
  assert close(logsumexp(for x in states { log_by_conditionals(looking, x) }), 0.0, 1e-12)
  assert close(logsumexp(for x in states { log_by_conditionals(odds, x) }), 0.0, 1e-12)
  assert close(log_by_conditionals(odds, [2, 1, 2]), log_p([2, 1, 2]), 1e-12)
}

test "redrawing" {
  // None of them, and all of them: six standard errors of 20,000 draws.
  assert all(redrawn(odds, [1, 0, 1], 0) == [1, 0, 1])
  let x = for i in 0..20000 { redrawn(odds, [0, 0, 0], 3) }
  assert close(mean(real(x), axis: 0), sigmoid(logits), 0.022)
  // One of three is drawn anew, so two at least stay.
  let one = for i in 0..200 { count(redrawn(odds, [1, 0, 1], 1) == [1, 0, 1]) }
  assert min(one) >= 2
}

test "the normaliser, and the divergence at the truth" {
  assert close(log_normalizer(log_p, log_f, states), 1.7, 1e-12)
  let a = 1.0
  // Where log p - log f is the same everywhere each derivative is 0.
  assert close(grad(energy_kl(|s| log_p(s) + (a - 1.0) * real(s[0]), log_f, states), wrt: a), 0.0, 1e-12)
}
