// Distributions made of the normal one.

/// exp(x) of a normal x with mean `mu` and standard deviation `sigma`.
dist log_normal(mu, sigma in positive) on positive {
  logpdf(x) {
    let inside = stop(x) > 0.0
    let l = log(select(inside, x, 1.0))
    select(inside, -0.5 * square((l - mu) / sigma) - log(sigma) - 0.5 * log(2.0 * pi) - l, -inf)
  }
  noise() = randn(self.shape)
  transform(e) = exp(mu + sigma * e)
  cdf(x) = select(stop(x) > 0.0, ndtr((log(select(stop(x) > 0.0, x, 1.0)) - mu) / sigma), 0.0)
  quantile(q) = exp(mu + sigma * ndtri(q))
  mean() = exp(mu + 0.5 * sigma * sigma)
  variance() = expm1(sigma * sigma) * exp(2.0 * mu + sigma * sigma)
  entropy() = mu + log(sigma) + 0.5 * log(2.0 * pi) + 0.5
  kl(q: log_normal) {
    let r = sigma / q.sigma
    0.5 * (r * r - 1.0 + square((mu - q.mu) / q.sigma)) - log(r)
  }
}

/// The absolute value of a normal with mean 0 and standard deviation `sigma`.
dist half_normal(sigma in positive) on positive {
  logpdf(x) = select(stop(x) >= 0.0, -0.5 * square(x / sigma) - log(sigma) + 0.5 * log(2.0 / pi), -inf)
  noise() = abs(randn(self.shape))
  transform(e) = sigma * e
  cdf(x) = select(stop(x) > 0.0, erf(max(x, 0.0) / (sigma * sqrt(2.0))), 0.0)
  quantile(q) = sigma * sqrt(2.0) * erfinv(q)
  mean() = sigma * sqrt(2.0 / pi)
  variance() = sigma * sigma * (1.0 - 2.0 / pi)
  entropy() = log(sigma) + 0.5 * log(0.5 * pi) + 0.5
  kl(q: half_normal) {
    let r = sigma / q.sigma
    0.5 * (r * r - 1.0) - log(r)
  }
}

/// The normal distribution with mean `mu` and standard deviation `sigma`, given that it lies between `low` and `high`.
/// Either end may be left out.
dist truncated_normal(mu, sigma in positive, low = none, high = none) on interval(low, high) {
  from() = if provided(low) { low } else { -inf }
  to() = if provided(high) { high } else { inf }
  // The ends of the standard normal, turned so that most of the interval is on the left: there no digits are lost. The
  // upper one alone is what it is without the other.
  turned() =
    if provided(low) {
      if provided(high) { stop(low + high - 2.0 * mu) > 0.0 } else { true }
    } else {
      false
    }
  ends() =
    if provided(low) {
      let a = (low - mu) / sigma
      if provided(high) {
        let b = (high - mu) / sigma
        let t = self.turned()
        (select(t, -b, a), select(t, -a, b))
      } else {
        (none, -a)
      }
    } else {
      (none, if provided(high) { (high - mu) / sigma } else { inf })
    }
  log_mass() {
    let (a, b) = self.ends()
    if provided(a) { log_ndtr(b) + log1p(-exp(log_ndtr(a) - log_ndtr(b))) } else { log_ndtr(b) }
  }
  // The share of the standard normal left of the turned interval.
  before() {
    let (a, _) = self.ends()
    if provided(a) { ndtr(a) } else { 0.0 }
  }
  logpdf(x) {
    let l = -0.5 * square((x - mu) / sigma) - log(sigma) - 0.5 * log(2.0 * pi) - self.log_mass()
    select(stop(x) >= self.from() and stop(x) <= self.to(), l, -inf)
  }
  noise() = rand(self.shape)
  transform(u) {
    let (_, b) = self.ends()
    let t = self.turned()
    let left = self.before()
    let z = ndtri(left + select(t, 1.0 - u, u) * (ndtr(b) - left))
    clip(mu + sigma * select(t, -z, z), self.from(), self.to())
  }
  quantile(q) = self.transform(q)
  cdf(x) {
    let (_, b) = self.ends()
    let t = self.turned()
    let z = (clip(x, self.from(), self.to()) - mu) / sigma
    let left = self.before()
    let below = (ndtr(select(t, -z, z)) - left) / (ndtr(b) - left)
    select(t, 1.0 - below, below)
  }
  // Of the standard normal between the ends: the density at them over the mass, and that times the place.
  weight(z) {
    let p = exp(-0.5 * z * z - self.log_mass() - 0.5 * log(2.0 * pi))
    (p, z * p)
  }
  edges() {
    let (p, ap) = if provided(low) { self.weight((low - mu) / sigma) } else { (0.0, 0.0) }
    let (q, bq) = if provided(high) { self.weight((high - mu) / sigma) } else { (0.0, 0.0) }
    (p, q, ap, bq)
  }
  mean() {
    let (p, q, _, _) = self.edges()
    mu + sigma * (p - q)
  }
  variance() {
    let (p, q, ap, bq) = self.edges()
    sigma * sigma * (1.0 + ap - bq - square(p - q))
  }
  entropy() {
    let (_, _, ap, bq) = self.edges()
    0.5 * log(2.0 * pi) + 0.5 + log(sigma) + self.log_mass() + 0.5 * (ap - bq)
  }
}
