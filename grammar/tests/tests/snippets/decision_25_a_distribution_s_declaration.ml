dist normal(mu, sigma in positive) on real {
  logpdf(x) = -0.5 * ((x - mu) / sigma)^2 - log(sigma) - 0.5 * log(2 * pi)
  noise() = randn(shape(mu))
  transform(e) = mu + sigma * e
  kl(q: normal) = log(q.sigma / sigma) + (sigma^2 + (mu - q.mu)^2) / (2 * q.sigma^2) - 0.5
}
