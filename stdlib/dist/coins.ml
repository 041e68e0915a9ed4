// Distributions of a choice among finitely many. `p` are probabilities, `logits` their logarithms up to a constant; of
// a coin log(p / (1 - p)).

/// x * log(y), and 0 where x is 0, whatever y is; its derivative there is 0 as well.
fn xlogy(x, y) = x * log(select(x == 0.0, 1.0, y))

/// 1 with probability `p`, otherwise 0; or `bernoulli(logits: l)` with p = sigmoid(l), exact for large l.
dist bernoulli(p in unit = none, logits = none) on unit {
  logpdf(x) {
    if provided(logits) {
      x * logits - softplus(logits)
    } else {
      xlogy(x, p) + xlogy(1.0 - x, 1.0 - p)
    }
  }
  probs() = if provided(logits) { sigmoid(logits) } else { p }
  sample() {
    let q = self.probs() + 0.0
    real(rand(shape(q)) < q)
  }
  support() = [0.0, 1.0]
  mvd() = [(self.probs(), 1.0, 1.0, 0.0)]
  mvd_order() = inf
  cdf(x) = select(x < 0.0, 0.0, select(x < 1.0, 1.0 - self.probs(), 1.0))
  quantile(u) = real(u > 1.0 - self.probs())
  mean() = self.probs()
  variance() = self.probs() * (1.0 - self.probs())
  logit() = if provided(logits) { logits } else { log(p) - log1p(-p) }
  // The draw is 1 where a logistic variable is positive. Relaxed: that variable, for the uniform numbers u; for v,
  // given x.
  relaxed(u) = self.logit() + log(u) - log1p(-u)
  relaxed_given(x, v) {
    let q = self.probs()
    self.relaxed(select(x > 0.5, 1.0 - q + v * q, v * (1.0 - q)))
  }
  harden(z) = real(z > 0.0)
  soften(z, temperature) = sigmoid(z / temperature)
  // The probabilities of 1 and of 0, and their logarithms.
  both() =
    if provided(logits) {
      (sigmoid(logits), sigmoid(-logits), log_sigmoid(logits), log_sigmoid(-logits))
    } else {
      (p, 1.0 - p, log(p), log1p(-p))
    }
  entropy() {
    let (a, b, la, lb) = self.both()
    -weighed(a, la) - weighed(b, lb)
  }
  kl(q: bernoulli) {
    let (a, b, la, lb) = self.both()
    let (_, _, lc, ld) = q.both()
    weighed(a, la - lc) + weighed(b, lb - ld)
  }
}

/// p * x, and 0 where p is 0, whatever x is.
fn weighed(p, x) = p * select(stop(p) == 0.0, 0.0, x)

/// An index of `p`, probabilities that sum to 1, a real without a fraction; or `categorical(logits: l)` with p =
/// softmax(l).
dist categorical(p: real[k] = none, logits: real[k] = none) on natural {
  logs() = if provided(logits) { log_softmax(logits) } else { log(p) }
  probs() = if provided(logits) { softmax(logits) } else { p }
  logpdf(x) {
    let l = self.logs()
    let whole = floor(x)
    let inside = x >= 0.0 and x == whole and x < real(len(l))
    select(inside, take(l, int(select(inside, whole, 0.0))), -inf)
  }
  sample() = real(argmax(stop(self.logs()) - log(-log(rand(shape(self.probs()))))))
  support() = real(iota(len(self.probs())))
  // The probabilities sum to 1, so their derivatives sum to 0: all are taken against the last.
  mvd() {
    let p = self.probs()
    let n = len(p)
    scan (l = []) for i in 0..n - 1, unroll: true { next l = append(l, (p[i], 1.0, real(i), real(n - 1))) }
  }
  mvd_order() = inf
  cdf(x) = sum(select(real(iota(len(self.probs()))) <= x, self.probs(), 0.0))
  quantile(u) = min(real(count(cumsum(self.probs()) < u)), real(len(self.probs()) - 1))
  mean() = dot(self.probs(), real(iota(len(self.probs()))))
  variance() = dot(self.probs(), square(real(iota(len(self.probs()))) - self.mean()))
  entropy() = -sum(weighed(self.probs(), self.logs()))
  kl(q: categorical) = sum(weighed(self.probs(), self.logs() - q.logs()))
}

/// A vector with a 1 at the index that a categorical draws, zeros elsewhere.
dist one_hot_categorical(p: real[k] = none, logits: real[k] = none) on simplex(len(self.probs())) {
  logs() = if provided(logits) { log_softmax(logits) } else { log(p) }
  probs() = if provided(logits) { softmax(logits) } else { p }
  logpdf(x) = sum(weighed(x, self.logs()))
  sample() {
    let p = self.probs()
    one_hot(argmax(stop(self.logs()) - log(-log(rand(shape(p))))), len(p))
  }
  support() = one_hot(iota(len(self.probs())), len(self.probs()))
  mvd() {
    let (p, e) = (self.probs(), self.support())
    let n = len(p)
    scan (l = []) for i in 0..n - 1, unroll: true { next l = append(l, (p[i], 1.0, e[i], e[n - 1])) }
  }
  mvd_order() = inf
  mean() = self.probs()
  variance() = self.probs() * (1.0 - self.probs())
  // The draw is the place of the largest of the logits with Gumbel noise. Relaxed: those numbers, for the uniform
  // numbers u; for v, given x (Tucker et al. 2017, appendix C).
  relaxed(u) = self.logs() - log(-log(u))
  relaxed_given(x, v) {
    let top = -log(-sum(x * log(v)))
    select(x > 0.5, top, -log(exp(-top) - log(v) / select(x > 0.5, 1.0, self.probs())))
  }
  harden(z) = one_hot(argmax(z), len(z))
  soften(z, temperature) = softmax(z / temperature)
  entropy() = -sum(weighed(self.probs(), self.logs()))
  kl(q: one_hot_categorical) = sum(weighed(self.probs(), self.logs() - q.logs()))
}
