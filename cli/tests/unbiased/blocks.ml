// Several sites: each strategy of a coin with each of a normal distribution, one after another, in plates and in loops. Truths
// are sums over all coins of integrals over all normal draws.

precision f64

use integrands.{integrands, agrees, mean_of, over_coin}
use strategies.{coins, bells, slipped, reparam, mvd, enumerate}
use std.dist.{normal, bernoulli}

let at = [0.4, -0.2, -0.1]

/// Three sites, of which each depends on those before it.
fn three(t, f, a, b, c) = expect {
  x ~ bernoulli(sigmoid(t[0])) via a
  y ~ normal(t[1] + 0.8 * x, exp(t[2])) via b
  z ~ bernoulli(sigmoid(y - t[0])) via c
  f(y + 0.7 * x * z - 0.5, t) + x * z
}

fn three_exactly(t, f) {
  fn after(x, y) = over_coin(|z| f(y + 0.7 * x * z - 0.5, t) + x * z, sigmoid(y - t[0]))
  over_coin(|x| mean_of(|y| after(x, y), t[1] + 0.8 * x, exp(t[2])), sigmoid(t[0]))
}

test "sites that depend on one another, by each pair of strategies" {
  let tried = for i in list(0..len(coins)) {
    for j in list(0..len(bells)) {
      let f = integrands[mod(i + j, 3)]
      let (a, b, c) = (coins[i], bells[j], coins[mod(i + 3 * j, len(coins))])
      agrees(|t| three(t, f, a, b, c), |t| three_exactly(t, f), at).holds
    }
  }
  assert all(flatten(tried))
}

let weights = [0.5, 1.0, 1.5]

/// Lanes that meet in a sum, two sites in each.
fn plate(t, f, a, b) = expect {
  sum(for w in weights {
    x ~ bernoulli(sigmoid(t[0] * w)) via a
    y ~ normal(t[1] + w * x, exp(t[2])) via b
    w * f(y - 0.5, t)
  })
}

fn plate_exactly(t, f) =
  sum(for w in weights {
    w * over_coin(|x| mean_of(|y| f(y - 0.5, t), t[1] + w * x, exp(t[2])), sigmoid(t[0] * w))
  })

/// Lanes that meet in what is no sum.
fn met(t, f, a) = expect {
  let n = sum(for w in weights {
    x ~ bernoulli(sigmoid(t[0] * w)) via a
    w * x
  })
  f(n - 1.3, t)
}

fn met_exactly(t, f) {
  fn rest(n, k) = if k == 3 { f(n - 1.3, t) } else { over_coin(|x| rest(n + weights[k] * x, k + 1), sigmoid(t[0] * weights[k])) }
  rest(0.0, 0)
}

/// The same of normal draws, whose sum is normal.
fn met_on_a_line(t, f, b) = expect {
  let n = sum(for w in weights {
    y ~ normal(t[1] * w, exp(t[2])) via b
    w * y
  })
  f(n - 0.5, t)
}

fn met_on_a_line_exactly(t, f) = mean_of(|y| f(y - 0.5, t), t[1] * sqnorm(weights), exp(t[2]) * norm(weights))

test "lanes that meet in a sum, by each strategy" {
  let tried = for i in list(0..len(coins)) {
    let f = integrands[mod(i, 3)]
    let b = bells[mod(i, len(bells))]
    agrees(|t| plate(t, f, coins[i], b), |t| plate_exactly(t, f), at).holds
  }
  assert all(tried)
}

test "lanes that meet otherwise, by each strategy" {
  let of_coins = for i in list(0..len(coins)) {
    let f = integrands[mod(i, 3)]
    agrees(|t| met(t, f, coins[i]), |t| met_exactly(t, f), [0.4, 0.3]).holds
  }
  assert all(of_coins)
  let of_bells = for i in list(0..len(bells)) {
    let f = integrands[mod(i, 3)]
    agrees(|t| met_on_a_line(t, f, bells[i]), |t| met_on_a_line_exactly(t, f), at).holds
  }
  assert all(of_bells)
}

test "a wrong factor at one of the sites is found" {
  let f = integrands[0]
  assert agrees(|t| three(t, f, mvd, slipped, enumerate), |t| three_exactly(t, f), at).biased
  assert agrees(|t| plate(t, f, slipped, reparam), |t| plate_exactly(t, f), at).biased
  assert agrees(|t| met(t, f, slipped), |t| met_exactly(t, f), [0.4, 0.3]).biased
}
