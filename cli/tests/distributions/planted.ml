// The checks find what is wrong: each of these is a normal distribution with one mistake.

precision f64

use checks.{continuous}
use std.dist.normal

/// Each slip is a factor that should be 1.
dist slipped(
  mu,
  sigma in positive,
  mass = 1.0,
  middle = 1.0,
  width = 1.0,
  disorder = 1.0,
  gap = 1.0,
  step = 1.0,
  lift = 1.0,
  path = 1.0,
  weak = 1.0
) on real {
  of() = normal(mu, sigma)
  logpdf(x) = log(mass) + normal(mu, sigma).logpdf(x)
  noise() = randn(self.shape)
  transform(e) = stop(lift * (mu + sigma * e)) + path * (mu + sigma * e - stop(mu + sigma * e))
  mvd() = for_each(normal(mu, sigma).mvd(), weak)
  cdf(x) = step * normal(mu, sigma).cdf(x)
  quantile(q) = normal(mu, sigma).quantile(q)
  mean() = middle * mu
  variance() = width * sigma * sigma
  entropy() = disorder * normal(mu, sigma).entropy()
  kl(q: slipped) = gap * normal(mu, sigma).kl(normal(q.mu, q.sigma))
}

fn for_each(terms, factor) = scan (l = []) for (theta, c, plus, minus) in terms, unroll: true {
  next l = append(l, (theta, factor * c, plus, minus))
}

fn found(make) = not continuous(make, [0.4, 1.3], other: [-0.2, 2.0]).holds

test "nothing is found where nothing is wrong" { assert not found(|t| slipped(t[0], t[1])) }

test "each slip is found" {
  assert found(|t| slipped(t[0], t[1], mass: 1.001))
  assert found(|t| slipped(t[0], t[1], middle: 1.01))
  assert found(|t| slipped(t[0], t[1], width: 1.01))
  assert found(|t| slipped(t[0], t[1], disorder: 1.01))
  assert found(|t| slipped(t[0], t[1], gap: 1.01))
  assert found(|t| slipped(t[0], t[1], step: 0.999))
  assert found(|t| slipped(t[0], t[1], lift: 2.0))
  assert found(|t| slipped(t[0], t[1], path: 1.5))
  assert found(|t| slipped(t[0], t[1], weak: 1.5))
}
