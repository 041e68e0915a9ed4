// Distributions. A member says what is known of one: `logpdf` at a point; `noise` and `transform`, a draw as a function of
// noise without parameters; `sample`, a plain draw (by default `transform(noise())`); `support`, all points of a finite one.
// With tensors for parameters a distribution is one site, and its log density is the sum.

/// The normal distribution with mean `mu` and standard deviation `sigma`.
dist normal(mu, sigma in positive) on real {
  logpdf(x) = sum(-0.5 * square((x - mu) / sigma) - log(sigma) - 0.5 * log(2.0 * pi))
  noise() = randn(shape(mu + sigma))
  transform(e) = mu + sigma * e
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
