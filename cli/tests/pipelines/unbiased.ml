// The test of unbiasedness is tested: it accepts what is unbiased, catches a factor of 1.05, says when it cannot know.
// An acceptance here is wrong with a probability of at most 1e-9, a rejection too, at any seed.
// slow by the interpreter
use std.dist.{normal, bernoulli}
use std.estimators.{reparam, reinforce}
use std.testing.unbiased

param m = 0.5
param p = 0.3

fn slope(factor, strategy, f) = |_| factor * grad(expect { x ~ normal(m, 1.0) via strategy; f(x) }, wrt: m)
fn smooth(x) = x * x
// E (x - 1)+ at m, by the normal distribution: its derivative is ndtr(m - 1).
fn kink(x) = relu(x - 1.0)
fn own(x) = m * x

test "what is unbiased is accepted" {
  assert unbiased(slope(1.0, reparam, smooth), truth: 1.0)
  assert unbiased(slope(1.0, reinforce, smooth), truth: 1.0)
  assert unbiased(slope(1.0, reparam, kink), truth: ndtr(-0.5))
  assert unbiased(slope(1.0, reinforce, kink), truth: ndtr(-0.5))
  assert unbiased(slope(1.0, reparam, own), truth: 1.0)
  assert unbiased(slope(1.0, reinforce, own), truth: 1.0)
  assert unbiased(|_| grad(expect { b ~ bernoulli(p); (b + 1.0)^3 }, wrt: p), truth: 7.0)
}

fn caught(f, strategy, g, truth) = unbiased(slope(f, strategy, g), truth: truth).biased

test "a factor is caught, too large and too small" {
  assert caught(1.05, reparam, smooth, 1.0) and caught(0.95, reparam, smooth, 1.0)
  assert caught(1.05, reinforce, smooth, 1.0) and caught(0.95, reinforce, smooth, 1.0)
  assert caught(1.05, reparam, kink, ndtr(-0.5)) and caught(0.95, reparam, kink, ndtr(-0.5))
  assert caught(1.05, reinforce, own, 1.0) and caught(0.95, reinforce, own, 1.0)
  assert unbiased(|_| 1.05 * grad(expect { b ~ bernoulli(p); (b + 1.0)^3 }, wrt: p), truth: 7.0).biased
}

test "one wrong component among several is caught" {
  let scaled = |factor, (a, b)| (factor * a, b)
  fn both(factor) =
    |_| scaled(factor, grad(expect { x ~ normal(m, 1.0); b ~ bernoulli(p); x * x + 3.0 * b }, wrt: (m, p)))
  assert unbiased(both(1.0), truth: (1.0, 3.0), precision: 0.05)
  assert unbiased(both(1.3), truth: (1.0, 3.0), precision: 0.05).biased
}

test "against a reference estimator" {
  assert unbiased(slope(1.0, reinforce, smooth), against: slope(1.0, reparam, smooth))
  assert unbiased(slope(1.05, reinforce, smooth), against: slope(1.0, reparam, smooth)).biased
}

test "without variance, and with the truth 0" {
  assert unbiased(|_| 2.0 * m, truth: 1.0)
  assert unbiased(|_| 2.0 * m, truth: 1.0).draws == 1024.0
  assert unbiased(|_| 2.01 * m, truth: 1.0).biased
  assert unbiased(slope(1.0, reinforce, |x| 3.0), truth: 0.0)
  assert unbiased(|_| 0.0 * m, truth: 0.0)
}

test "too few draws are said" {
  let r = unbiased(slope(1.0, reinforce, smooth), truth: 1.0, draws: 8192)
  assert r.undecided and not r.biased and not r.holds
}
