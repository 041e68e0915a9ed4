// Distributions of positive numbers.

use std.random.{log_gamma_plain, log_gamma_implicit, log_gamma_quantile}

/// The gamma distribution with shape `alpha` and rate `beta`. A draw's derivative by the shape is the implicit one, of
/// first order (Figurnov, Mohamed and Mnih 2018).
dist gamma(alpha in positive, beta in positive) on positive {
  logpdf(x) {
    let inside = stop(x) > 0.0
    let y = select(inside, x, 1.0)
    select(inside, alpha * log(beta) - lgamma(alpha) + (alpha - 1.0) * log(y) - beta * y, -inf)
  }
  noise() = log_gamma_plain(alpha + zeros(self.shape))
  transform(l) = exp(log_gamma_implicit(alpha + zeros(self.shape), l)) / beta
  // By the rate: Mohamed et al. 2020, table 1. By the shape: the covariance with the score log(x), of two draws.
  mvd() {
    let (x, y) = (stop(self.sample()), stop(self.sample()))
    let c = 0.5 * (log(x) - log(y))
    [
      (alpha, c, x, y),
      (beta, stop(alpha / beta), x, x - log(rand(self.shape)) / stop(beta)),
    ]
  }
  mvd_order() = 1
  cdf(x) = gammainc(alpha, beta * max(x, 0.0))
  quantile(q) = exp(log_gamma_quantile(alpha + zeros(self.shape), q + zeros(self.shape))) / beta
  mean() = alpha / beta
  variance() = alpha / (beta * beta)
  entropy() = alpha - log(beta) + lgamma(alpha) + (1.0 - alpha) * digamma(alpha)
  kl(q: gamma) {
    let r = q.beta / beta
    (alpha - q.alpha) * digamma(alpha) - lgamma(alpha) + lgamma(q.alpha) - q.alpha * log(r) + alpha * (r - 1.0)
  }
}

/// The reciprocal of a gamma with shape `alpha` and rate `beta`.
dist inverse_gamma(alpha in positive, beta in positive) on positive {
  logpdf(x) {
    let inside = stop(x) > 0.0
    let y = select(inside, x, 1.0)
    select(inside, alpha * log(beta) - lgamma(alpha) - (alpha + 1.0) * log(y) - beta / y, -inf)
  }
  noise() = log_gamma_plain(alpha + zeros(self.shape))
  transform(l) = beta * exp(-log_gamma_implicit(alpha + zeros(self.shape), l))
  cdf(x) = select(stop(x) > 0.0, gammaincc(alpha, beta / select(stop(x) > 0.0, x, 1.0)), 0.0)
  quantile(q) = beta * exp(-log_gamma_quantile(alpha + zeros(self.shape), 1.0 - q + zeros(self.shape)))
  mean() = select(alpha > 1.0, beta / (alpha - 1.0), inf)
  variance() = select(alpha > 2.0, square(beta / (alpha - 1.0)) / (alpha - 2.0), inf)
  entropy() = alpha + log(beta) + lgamma(alpha) - (1.0 + alpha) * digamma(alpha)
  kl(q: inverse_gamma) {
    let r = q.beta / beta
    (alpha - q.alpha) * digamma(alpha) - lgamma(alpha) + lgamma(q.alpha) - q.alpha * log(r) + alpha * (r - 1.0)
  }
}

/// The exponential distribution with a rate.
dist exponential(rate in positive) on positive {
  logpdf(x) = select(stop(x) >= 0.0, log(rate) - rate * x, -inf)
  noise() = -log(rand(self.shape))
  transform(e) = e / rate
  // Mohamed et al. 2020, table 1; the other draw is the sum of the first and one more.
  mvd() {
    let x = stop(self.sample())
    [(rate, 1.0 / stop(rate), x, x - log(rand(self.shape)) / stop(rate))]
  }
  mvd_order() = 1
  cdf(x) = -expm1(-rate * max(x, 0.0))
  quantile(q) = -log1p(-q) / rate
  mean() = 1.0 / rate
  variance() = 1.0 / (rate * rate)
  entropy() = 1.0 - log(rate)
  kl(q: exponential) = log(rate / q.rate) + q.rate / rate - 1.0
}

/// The Weibull distribution with shape `alpha` and scale `sigma`.
dist weibull(alpha in positive, sigma in positive) on positive {
  logpdf(x) {
    let inside = stop(x) > 0.0
    let l = log(select(inside, x, 1.0)) - log(sigma)
    select(inside, log(alpha) - log(sigma) + (alpha - 1.0) * l - exp(alpha * l), -inf)
  }
  noise() = log(-log(rand(self.shape)))
  transform(e) = sigma * exp(e / alpha)
  cdf(x) {
    let inside = stop(x) > 0.0
    select(inside, -expm1(-exp(alpha * log(select(inside, x, 1.0) / sigma))), 0.0)
  }
  quantile(q) = sigma * exp(log(-log1p(-q)) / alpha)
  mean() = sigma * exp(lgamma(1.0 + 1.0 / alpha))
  variance() {
    let (a, b) = (lgamma(1.0 + 1.0 / alpha), lgamma(1.0 + 2.0 / alpha))
    // Γ(1 + 2/α) - Γ(1 + 1/α)², by their ratio: they are near one another for large α.
    sigma * sigma * exp(2.0 * a) * expm1(b - 2.0 * a)
  }
  entropy() = -digamma(1.0) * (1.0 - 1.0 / alpha) + log(sigma / alpha) + 1.0
  // Bauckhage 2013, "Computing the Kullback-Leibler divergence between two Weibull distributions", equation 15.
  kl(q: weibull) {
    let r = log(sigma / q.sigma)
    let euler = -digamma(1.0)
    // The mean of log(x) is log(sigma) - euler / alpha.
    let slopes = log(alpha / q.alpha) - q.alpha * r - (alpha - q.alpha) * euler / alpha
    slopes + exp(q.alpha * r + lgamma(q.alpha / alpha + 1.0)) - 1.0
  }
}

/// Numbers above `y_min` whose density falls with the power alpha + 1 (Pareto).
dist pareto(y_min in positive, alpha in positive) on above(y_min) {
  logpdf(x) {
    let inside = stop(x) >= y_min
    select(inside, log(alpha) + alpha * log(y_min) - (alpha + 1.0) * log(select(inside, x, 1.0)), -inf)
  }
  noise() = -log(rand(self.shape))
  transform(e) = y_min * exp(e / alpha)
  cdf(x) {
    let inside = stop(x) >= y_min
    select(inside, -expm1(alpha * log(y_min / select(inside, x, 1.0))), 0.0)
  }
  quantile(q) = y_min * exp(-log1p(-q) / alpha)
  mean() = select(alpha > 1.0, alpha * y_min / (alpha - 1.0), inf)
  variance() = select(alpha > 2.0, square(y_min / (alpha - 1.0)) * alpha / (alpha - 2.0), inf)
  entropy() = log(y_min / alpha) + 1.0 + 1.0 / alpha
  // Infinite where the other starts later.
  kl(q: pareto) {
    let inside = y_min >= q.y_min
    select(inside, log(alpha / q.alpha) + q.alpha * log(y_min / q.y_min) + q.alpha / alpha - 1.0, inf)
  }
}
