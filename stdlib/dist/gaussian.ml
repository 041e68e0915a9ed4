// The normal distribution, in a file of its own: pipelines that use nothing else read no more. What members mean is
// said in docs/distributions.md.

/// The normal distribution with mean `mu` and standard deviation `sigma`.
dist normal(mu, sigma in positive) on real {
  logpdf(x) = -0.5 * square((x - mu) / sigma) - log(sigma) - 0.5 * log(2.0 * pi)
  noise() = randn(self.shape)
  transform(e) = mu + sigma * e
  // Mohamed et al. 2020, table 1; the Maxwell draw times a uniform one is normal, which couples the pair.
  mvd() {
    let w = sqrt(-2.0 * log(rand(self.shape)))
    let (a, b, c) = (randn(self.shape), randn(self.shape), randn(self.shape))
    let m = select(rand(self.shape) < 0.5, -1.0, 1.0) * sqrt(a * a + b * b + c * c)
    let (at, by) = (stop(mu), stop(sigma))
    [
      (mu, 1.0 / (by * sqrt(2.0 * pi)), at + by * w, at - by * w),
      (sigma, 1.0 / by, at + by * m, at + by * m * rand(self.shape)),
    ]
  }
  mvd_order() = 1
  cdf(x) = ndtr((x - mu) / sigma)
  quantile(q) = mu + sigma * ndtri(q)
  // The draw as a map of one that has only a part of the centre and, on the scale of logarithms, of the spread.
  apart(part) = (
    normal(part * mu + zeros(self.shape), exp(part * log(sigma))),
    |e| mu + exp((1.0 - part) * log(sigma)) * (e - part * mu),
  )
  mean() = mu
  variance() = sigma * sigma
  entropy() = log(sigma) + 0.5 * log(2.0 * pi) + 0.5
  kl(q: normal) {
    let r = sigma / q.sigma
    0.5 * (r * r - 1.0 + square((mu - q.mu) / q.sigma)) - log(r)
  }
}
