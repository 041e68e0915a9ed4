// Distributions of numbers between two ends, and of vectors that sum to 1.

use std.random.{log_gamma_plain, log_gamma_implicit}

/// Uniform between `low` and `high`.
dist uniform(low = 0.0, high = 1.0) on interval(low, high) {
  logpdf(x) = select(stop(x) >= low and stop(x) <= high, -log(high - low), -inf)
  noise() = rand(self.shape)
  transform(e) = low + (high - low) * e
  cdf(x) = clip((x - low) / (high - low), 0.0, 1.0)
  quantile(q) = low + (high - low) * q
  mean() = 0.5 * (low + high)
  variance() = square(high - low) / 12.0
  entropy() = log(high - low)
  // Infinite where the other does not cover.
  kl(q: uniform) = select(low >= q.low and high <= q.high, log(q.high - q.low) - log(high - low), inf)
}

/// The beta distribution with density proportional to x^(alpha - 1) (1 - x)^(beta - 1). A draw's derivatives are
/// implicit, of first order.
dist beta(alpha in positive, beta in positive) on unit {
  logpdf(x) {
    let inside = stop(x) > 0.0 and stop(x) < 1.0
    let y = select(inside, x, 0.5)
    select(inside, (alpha - 1.0) * log(y) + (beta - 1.0) * log1p(-y) - lbeta(alpha, beta), -inf)
  }
  noise() = (log_gamma_plain(alpha + zeros(self.shape)), log_gamma_plain(beta + zeros(self.shape)))
  transform(e) {
    let (a, b) = e
    sigmoid(log_gamma_implicit(alpha + zeros(self.shape), a) - log_gamma_implicit(beta + zeros(self.shape), b))
  }
  cdf(x) = betainc(alpha, beta, clip(x, 0.0, 1.0))
  mean() = alpha / (alpha + beta)
  variance() = alpha * beta / (square(alpha + beta) * (alpha + beta + 1.0))
  entropy() {
    let (a, b) = (alpha - 1.0, beta - 1.0)
    lbeta(alpha, beta) - a * digamma(alpha) - b * digamma(beta) + (a + b) * digamma(alpha + beta)
  }
  kl(q: beta) {
    let (a, b) = (alpha - q.alpha, beta - q.beta)
    let slopes = a * digamma(alpha) + b * digamma(beta) - (a + b) * digamma(alpha + beta)
    lbeta(q.alpha, q.beta) - lbeta(alpha, beta) + slopes
  }
}

/// Between 0 and 1, with the distribution function 1 - (1 - x^a)^b (Kumaraswamy 1980): much like a beta.
dist kumaraswamy(a in positive, b in positive) on unit {
  logpdf(x) {
    let inside = stop(x) > 0.0 and stop(x) < 1.0
    let l = log(select(inside, x, 0.5))
    select(inside, log(a) + log(b) + (a - 1.0) * l + (b - 1.0) * log(-expm1(a * l)), -inf)
  }
  noise() = log(rand(self.shape))
  transform(e) = exp(log(-expm1(e / b)) / a)
  cdf(x) {
    let y = clip(x, 0.0, 1.0)
    let inside = stop(y) > 0.0 and stop(y) < 1.0
    let l = log(select(inside, y, 0.5))
    select(inside, -expm1(b * log(-expm1(a * l))), y)
  }
  quantile(q) = exp(log(-expm1(log1p(-q) / b)) / a)
  // E x^n = b B(1 + n / a, b).
  mean() = b * exp(lbeta(1.0 + 1.0 / a, b))
  variance() {
    let m = self.mean()
    b * exp(lbeta(1.0 + 2.0 / a, b)) - m * m
  }
  entropy() = (1.0 - 1.0 / b) + (1.0 - 1.0 / a) * (digamma(b + 1.0) - digamma(1.0)) - log(a) - log(b)
}

/// Vectors that sum to 1, with density proportional to the product of x^(alpha - 1).
dist dirichlet(alpha: real[k] in positive) on simplex(k) {
  logpdf(x) {
    let inside = all(stop(x) > 0.0)
    let l = log(select(stop(x) > 0.0, x, 1.0))
    if inside { sum((alpha - 1.0) * l) + lgamma(sum(alpha)) - sum(lgamma(alpha)) } else { -inf }
  }
  noise() = log_gamma_plain(alpha)
  transform(l) = softmax(log_gamma_implicit(alpha, l))
  mean() = alpha / sum(alpha)
  variance() {
    let m = alpha / sum(alpha)
    m * (1.0 - m) / (sum(alpha) + 1.0)
  }
  entropy() {
    let a = sum(alpha)
    sum(lgamma(alpha)) - lgamma(a) + (a - real(len(alpha))) * digamma(a) - sum((alpha - 1.0) * digamma(alpha))
  }
  kl(q: dirichlet) {
    let a = sum(alpha)
    let c = alpha - q.alpha
    let own = lgamma(a) - sum(lgamma(alpha))
    own - lgamma(sum(q.alpha)) + sum(lgamma(q.alpha)) + sum(c * (digamma(alpha) - digamma(a)))
  }
}
