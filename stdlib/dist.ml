// Distributions. A member says what is known of one: `logpdf` at a point; `noise` and `transform`, a draw as a function of
// noise without parameters; `sample`, a plain draw (by default `transform(noise())`); `support`, all points of a finite one.
// With tensors for parameters a distribution is one site, and its log density is the sum.

/// The normal distribution with mean `mu` and standard deviation `sigma`.
dist normal(mu, sigma in positive) on real {
  logpdf(x) = sum(-0.5 * square((x - mu) / sigma) - log(sigma) - 0.5 * log(2.0 * pi))
  noise() = randn(shape(mu + sigma))
  transform(e) = mu + sigma * e
  mean() = mu + 0.0 * sigma
  quantile(u) = mu + sigma * ndtri(u)
}

/// 1 with probability `p`, otherwise 0; or `bernoulli(logits: l)` with p = sigmoid(l), exact for large l.
dist bernoulli(p in unit = none, logits = none) on unit {
  logpdf(x) {
    if provided(logits) {
      sum(x * logits - softplus(logits))
    } else {
      sum(xlogy(x, p) + xlogy(1.0 - x, 1.0 - p))
    }
  }
  probs() = if provided(logits) { sigmoid(logits) } else { p }
  sample() {
    let q = if provided(logits) { sigmoid(logits) } else { p + 0.0 }
    real(rand(shape(q)) < q)
  }
  support() = [0.0, 1.0]
  mvd() = [(self.probs(), 1.0, 1.0, 0.0)]
  mvd_order() = inf
  mean() = self.probs()
  quantile(u) = real(u > 1.0 - self.probs())
  logit() = if provided(logits) { logits } else { log(p) - log1p(-p) }
  // The draw is 1 where a logistic variable is positive. Relaxed: that variable, for the uniform numbers u; for v, given x.
  relaxed(u) = self.logit() + log(u) - log1p(-u)
  relaxed_given(x, v) {
    let q = self.probs()
    self.relaxed(select(x > 0.5, 1.0 - q + v * q, v * (1.0 - q)))
  }
  harden(z) = real(z > 0.0)
  soften(z, temperature) = sigmoid(z / temperature)
}

/// x * log(y), and 0 where x is 0, whatever y is; its derivative there is 0 as well.
fn xlogy(x, y) = x * log(select(x == 0.0, 1.0, y))

/// An index (a real without a fraction) with probability proportional to exp(logits).
dist categorical(logits) on natural {
  logpdf(x) {
    let l = log_softmax(logits)
    l[int(x)]
  }
  sample() = real(argmax(logits - log(-log(rand(shape(logits))))))
}

/// Uniform between `low` and `high`.
dist uniform(low = 0.0, high = 1.0) on real {
  logpdf(x) = sum(select(x >= low and x <= high, -log(high - low), -inf))
  noise() = rand(shape(low + high))
  transform(e) = low + (high - low) * e
}
