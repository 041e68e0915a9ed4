// Sites in loops, whose draws the next iteration goes on from. In a loop that stays one an estimator uses the rest once;
// unrolled, each iteration has sites of its own, and any estimator will do.

precision f64

use integrands.{integrands, agrees, mean_of, over_coin}
use strategies as s
use std.dist.{normal, bernoulli}

let at = [0.4, -0.2, -0.1]
let once = [s.reparam, s.reinforce, s.auto]

/// A walk that forgets a part of where it was, with costs on its way.
fn walk(t, f, strategy, unrolled) = expect {
  let (end, costs) = scan (y = 0.3) for i in 0..3, unroll: unrolled {
    step ~ normal(t[0] * y + t[1], exp(t[2])) via strategy
    next y = step
    yield f(step - 0.5, t)
  }
  sum(costs) + end
}

/// Each place is normal.
fn walk_exactly(t, f) {
  let end = scan (m = 0.3, v = 0.0, cost = 0.0) for i in 0..3, unroll: true {
    let (mean, variance) = (t[0] * m + t[1], t[0] * t[0] * v + exp(2.0 * t[2]))
    next m = mean
    next v = variance
    next cost = cost + mean_of(|y| f(y - 0.5, t), mean, sqrt(variance))
  }
  end.cost + end.m
}

test "a walk, as one loop" {
  let tried = for strategy in once {
    for f in integrands { agrees(|t| walk(t, f, strategy, false), |t| walk_exactly(t, f), at).holds }
  }
  assert all(flatten(tried))
}

test "a walk, unrolled, by each strategy" {
  let tried = for i in list(0..len(s.bells)) {
    let f = integrands[mod(i, 3)]
    agrees(|t| walk(t, f, s.bells[i], true), |t| walk_exactly(t, f), at).holds
  }
  assert all(tried)
}

/// Coins, each as likely as the last one makes it.
fn chain(t, f, strategy, unrolled) = expect {
  let (end, costs) = scan (x = 1.0) for i in 0..3, unroll: unrolled {
    coin ~ bernoulli(sigmoid(t[0] + t[1] * x)) via strategy
    next x = coin
    yield f(coin + x - 0.6, t)
  }
  sum(costs) + end
}

fn chain_exactly(t, f) {
  fn rest(x, i) =
    if i == 3 {
      x
    } else {
      over_coin(|y| f(y + x - 0.6, t) + rest(y, i + 1), sigmoid(t[0] + t[1] * x))
    }
  rest(1.0, 0)
}

test "a chain of coins, as one loop" {
  let tried = for strategy in [s.reinforce, s.auto] {
    for f in integrands { agrees(|t| chain(t, f, strategy, false), |t| chain_exactly(t, f), [0.4, -0.7]).holds }
  }
  assert all(flatten(tried))
}

test "a chain of coins, unrolled, by each strategy" {
  let tried = for i in list(0..len(s.coins)) {
    let f = integrands[mod(i, 3)]
    agrees(|t| chain(t, f, s.coins[i], true), |t| chain_exactly(t, f), [0.4, -0.7]).holds
  }
  assert all(tried)
}

/// Two sites in each iteration: a coin by where the walk is, and a step by the coin.
fn driven(t, f, a, b, unrolled) = expect {
  let (end, costs) = scan (y = 0.3) for i in 0..2, unroll: unrolled {
    coin ~ bernoulli(sigmoid(t[0] + y)) via a
    step ~ normal(0.7 * y + 0.8 * coin + t[1], exp(t[2])) via b
    next y = step
    yield f(step + coin - 0.9, t)
  }
  sum(costs) + end
}

fn driven_exactly(t, f) {
  fn cost(y, rest) =
    over_coin(
      |x| mean_of(|z| f(z + x - 0.9, t) + rest(z), 0.7 * y + 0.8 * x + t[1], exp(t[2])),
      sigmoid(t[0] + y)
    )
  cost(0.3, |y| cost(y, |z| z))
}

test "two sites in each iteration, as one loop" {
  let tried = for b in once {
    for f in integrands { agrees(|t| driven(t, f, s.reinforce, b, false), |t| driven_exactly(t, f), at).holds }
  }
  assert all(flatten(tried))
}

test "two sites in each iteration, unrolled, by each strategy" {
  let tried = for i in list(0..len(s.coins)) {
    let f = integrands[mod(i, 3)]
    let b = s.bells[mod(2 * i, len(s.bells))]
    agrees(|t| driven(t, f, s.coins[i], b, true), |t| driven_exactly(t, f), at).holds
  }
  assert all(tried)
}

/// A plate in each iteration, whose lanes meet in the carry.
fn crowd(t, f, strategy, unrolled) = expect {
  let (end, costs) = scan (y = 0.3) for i in 0..2, unroll: unrolled {
    let moved = for w in [0.5, 1.0] {
      step ~ normal(t[0] * y + w * t[1], exp(t[2])) via strategy
      step
    }
    let y = 0.5 * y + sum(moved)
    next y = y
    yield f(y - 0.5, t)
  }
  sum(costs) + end
}

fn crowd_exactly(t, f) {
  let end = scan (m = 0.3, v = 0.0, cost = 0.0) for i in 0..2, unroll: true {
    let keeps = 0.5 + 2.0 * t[0]
    let (mean, variance) = (keeps * m + 1.5 * t[1], keeps * keeps * v + 2.0 * exp(2.0 * t[2]))
    next m = mean
    next v = variance
    next cost = cost + mean_of(|y| f(y - 0.5, t), mean, sqrt(variance))
  }
  end.cost + end.m
}

/// A loop in each lane.
fn lanes(t, f, strategy, unrolled) = expect {
  sum(for w in [0.5, 1.0] {
    scan (y = 0.3) for i in 0..2, unroll: unrolled {
      step ~ normal(t[0] * y + w * t[1], exp(t[2])) via strategy
      next y = f(step - 0.5, t)
    }
  })
}

fn lanes_exactly(t, f) {
  fn after(y, w, i) = if i == 2 { y } else { mean_of(|z| after(f(z - 0.5, t), w, i + 1), t[0] * y + w * t[1], exp(t[2])) }
  sum(for w in [0.5, 1.0] { after(0.3, w, 0) })
}

test "plates in loops and loops in plates, as one loop" {
  let tried = for strategy in once {
    for f in integrands {
      let crowds = agrees(|t| crowd(t, f, strategy, false), |t| crowd_exactly(t, f), at).holds
      crowds and agrees(|t| lanes(t, f, strategy, false), |t| lanes_exactly(t, f), at).holds
    }
  }
  assert all(flatten(tried))
}

test "plates in loops and loops in plates, unrolled, by each strategy" {
  let tried = for i in list(0..len(s.bells)) {
    let f = integrands[mod(i, 3)]
    let crowds = agrees(|t| crowd(t, f, s.bells[i], true), |t| crowd_exactly(t, f), at).holds
    crowds and agrees(|t| lanes(t, f, s.bells[i], true), |t| lanes_exactly(t, f), at).holds
  }
  assert all(tried)
}

test "a wrong factor in a loop is found" {
  let f = integrands[0]
  assert agrees(|t| walk(t, f, s.slipped, false), |t| walk_exactly(t, f), at).biased
  assert agrees(|t| walk(t, f, s.slipped, true), |t| walk_exactly(t, f), at).biased
  assert agrees(|t| crowd(t, f, s.slipped, false), |t| crowd_exactly(t, f), at).biased
}
