// Distributions of real numbers, by a location `mu` and a scale `sigma`.

use std.random.{log_gamma_plain, log_gamma_implicit}

/// log(1 + z * z), also where z * z overflows.
fn log1psq(z) {
  let far = stop(abs(z)) > 1e8
  select(far, 2.0 * log(select(far, abs(z), 1.0)), log1p(square(select(far, 0.0, z))))
}

/// A standard Cauchy draw of a shape.
fn cauchy_noise(s) = tan(pi * (rand(s) - 0.5))

/// The Cauchy distribution with median `mu`.
dist cauchy(mu, sigma in positive) on real {
  logpdf(x) = -log1psq((x - mu) / sigma) - log(pi) - log(sigma)
  noise() = cauchy_noise(self.shape)
  transform(e) = mu + sigma * e
  cdf(x) = 0.5 + atan((x - mu) / sigma) / pi
  quantile(q) = mu + sigma * tan(pi * (q - 0.5))
  entropy() = log(4.0 * pi) + log(sigma)
  // Chyzak and Nielsen 2019.
  kl(q: cauchy) = log(square(sigma + q.sigma) + square(mu - q.mu)) - log(4.0 * sigma) - log(q.sigma)
}

/// The absolute value of a Cauchy with median 0.
dist half_cauchy(sigma in positive) on positive {
  logpdf(x) = select(stop(x) >= 0.0, log(2.0 / pi) - log(sigma) - log1psq(x / sigma), -inf)
  noise() = abs(cauchy_noise(self.shape))
  transform(e) = sigma * e
  cdf(x) = 2.0 / pi * atan(max(x, 0.0) / sigma)
  quantile(q) = sigma * tan(0.5 * pi * q)
  entropy() = log(2.0 * pi) + log(sigma)
}

/// Student's distribution with `nu` degrees of freedom. A draw's derivative by `nu` is implicit, of first order.
dist student_t(nu in positive, mu = 0.0, sigma in positive = 1.0) on real {
  logpdf(x) {
    let z = (x - mu) / sigma
    -0.5 * (nu + 1.0) * log1psq(z / sqrt(nu)) - lbeta(0.5 * nu, 0.5) - 0.5 * log(nu) - log(sigma)
  }
  noise() = (randn(self.shape), log_gamma_plain(0.5 * nu + zeros(self.shape)))
  transform(e) {
    let (n, l) = e
    mu + sigma * n * exp(0.5 * (log(0.5 * nu) - log_gamma_implicit(0.5 * nu + zeros(self.shape), l)))
  }
  cdf(x) {
    let z = (x - mu) / sigma
    let tail = 0.5 * betainc(0.5 * nu, 0.5, nu / (nu + z * z))
    select(stop(z) < 0.0, tail, 1.0 - tail)
  }
  mean() = select(nu > 1.0, mu, nan)
  variance() = select(nu > 2.0, sigma * sigma * nu / (nu - 2.0), inf)
  entropy() {
    let h = 0.5 * (nu + 1.0)
    h * (digamma(h) - digamma(0.5 * nu)) + 0.5 * log(nu) + lbeta(0.5 * nu, 0.5) + log(sigma)
  }
}

/// The double exponential distribution.
dist laplace(mu, sigma in positive) on real {
  logpdf(x) = -abs(x - mu) / sigma - log(2.0 * sigma)
  noise() {
    let u = rand(self.shape) - 0.5
    -sign(u) * log1p(-2.0 * abs(u))
  }
  transform(e) = mu + sigma * e
  cdf(x) {
    let z = (x - mu) / sigma
    let tail = 0.5 * exp(-abs(z))
    select(stop(z) < 0.0, tail, 1.0 - tail)
  }
  quantile(q) = mu - sigma * sign(q - 0.5) * log1p(-2.0 * abs(q - 0.5))
  mean() = mu
  variance() = 2.0 * sigma * sigma
  entropy() = 1.0 + log(2.0 * sigma)
  kl(q: laplace) {
    let d = abs(mu - q.mu)
    log(q.sigma / sigma) + d / q.sigma + sigma / q.sigma * exp(-d / sigma) - 1.0
  }
}

/// The logistic distribution.
dist logistic(mu, sigma in positive) on real {
  logpdf(x) {
    let z = abs(x - mu) / sigma
    -z - 2.0 * softplus(-z) - log(sigma)
  }
  noise() {
    let u = rand(self.shape)
    log(u) - log1p(-u)
  }
  transform(e) = mu + sigma * e
  cdf(x) = sigmoid((x - mu) / sigma)
  quantile(q) = mu + sigma * (log(q) - log1p(-q))
  mean() = mu
  variance() = square(pi * sigma) / 3.0
  entropy() = log(sigma) + 2.0
}

/// The distribution of the largest of many: exp(-exp(-(x - mu) / beta)).
dist gumbel(mu, beta in positive) on real {
  logpdf(x) {
    let z = (x - mu) / beta
    -z - exp(-z) - log(beta)
  }
  noise() = -log(-log(rand(self.shape)))
  transform(e) = mu + beta * e
  cdf(x) = exp(-exp(-(x - mu) / beta))
  quantile(q) = mu - beta * log(-log(q))
  mean() = mu - beta * digamma(1.0)
  variance() = square(pi * beta) / 6.0
  entropy() = log(beta) - digamma(1.0) + 1.0
  kl(q: gumbel) {
    let r = beta / q.beta
    let d = (q.mu - mu) / q.beta
    -log(r) - digamma(1.0) * (r - 1.0) + exp(d + lgamma(r + 1.0)) - 1.0 - d
  }
}
