// Distributions made of others.

use std.dist.{categorical, weighed}

/// A draw of one of `components`, chosen with probabilities `p` or `logits`. Components are a `for` over distributions
/// of one family, or a list of them. Of single numbers with a `cdf` a draw has implicit derivatives by all parameters
/// (Figurnov, Mohamed and Mnih 2018, section 4), up to the third order.
dist mixture(components, p: real[k] = none, logits: real[k] = none) on components.on {
  logs() = if provided(logits) { log_softmax(logits) } else { log(p) }
  probs() = if provided(logits) { softmax(logits) } else { p }
  logpdf(x) = logsumexp(self.logs() + for c in components { c.logpdf(x) })
  sample() {
    let i = argmax(stop(self.logs()) - log(-log(rand(shape(self.probs())))))
    take(for c in components { c.sample() }, i)
  }
  noise() where reparameterised(components), has(components, cdf), single(components) = self.sample()
  // Two steps of Newton's method for the point where the distribution function is what it is: the value stays, and
  // each step doubles the order to which derivatives are right, less one.
  transform(x) where reparameterised(components), has(components, cdf), single(components) {
    let at = stop(x)
    let u = stop(self.cdf(at))
    let y = at - (self.cdf(at) - u) / exp(self.logpdf(at))
    y - (self.cdf(y) - u) / exp(self.logpdf(y))
  }
  cdf(x) where has(components, cdf) = dot(self.probs(), for c in components { c.cdf(x) })
  mean() where has(components, mean) {
    let m = for c in components { c.mean() }
    sum(for (w, x) in (self.probs(), m) { w * x }, axis: 0)
  }
  variance() where has(components, mean), has(components, variance) {
    let m = self.mean()
    let second = for c in components { c.variance() + square(c.mean() - m) }
    sum(for (w, x) in (self.probs(), second) { w * x }, axis: 0)
  }
}

/// 0 with probability `p`, otherwise a draw of `d`, a distribution of single counts.
dist zero_inflated(p in unit, d) on natural {
  logpdf(x) where single(d) {
    let l = d.logpdf(x) + log1p(-p)
    select(x == 0.0, logaddexp(log(p), d.logpdf(0.0) + log1p(-p)), l)
  }
  sample() where single(d) = select(rand() < p, 0.0, d.sample())
  support() where finite(d) = d.support()
  cdf(x) where has(d, cdf) = select(x < 0.0, 0.0, p + (1.0 - p) * d.cdf(x))
  quantile(q) where has(d, quantile) = select(q <= p, 0.0, d.quantile(clip((q - p) / (1.0 - p), 0.0, 1.0)))
  mean() where has(d, mean) = (1.0 - p) * d.mean()
  variance() where has(d, variance) = (1.0 - p) * (d.variance() + p * square(d.mean()))
}

/// All of the mass in one place.
dist delta(at) on real {
  // It moves with `at`: the zero lets a derivative that would get lost be refused (see compiler/src/lower/expect/ends.rs).
  logpdf(x) = (if all(x == at) { 0.0 } else { -inf }) + 0.0 * sum(at)
  noise() = zeros_like(at + 0.0)
  transform(e) = at + e
  support() = insert_axis(at + 0.0, 0)
  mean() = at
  variance() = 0.0
  entropy() = 0.0
}

/// Any point of a support, with density 1: not a probability, so it cannot be drawn from. `real`, `positive`, ..
dist flat(space) on space {
  logpdf(x) = if all(self.on.holds(stop(x))) { 0.0 } else { -inf }
  // A point that shows the shape.
  start() = self.on.start()
}

/// A draw of `base`, mapped by `map`, a record like those of `std.supports`: `constrain` forward, `free` back, and
/// `log_jacobian(x)`, the logarithm of the determinant of `constrain` at x. What `map` captures has derivatives, too.
dist transformed(base, map) on map {
  logpdf(y) where scored(base) {
    let x = map.free(y)
    base.logpdf(x) - map.log_jacobian(x)
  }
  sample() = map.constrain(base.sample())
  noise() where reparameterised(base) = base.noise()
  transform(e) where reparameterised(base) = map.constrain(base.transform(e))
}

/// A smooth relaxation of a coin: sigmoid((logits + logistic noise) / temperature) (Maddison, Mnih and Teh 2017,
/// equation 24).
dist relaxed_bernoulli(temperature in positive, p in unit = none, logits = none) on unit {
  odds() = if provided(logits) { logits } else { log(p) - log1p(-p) }
  logpdf(x) {
    let inside = stop(x) > 0.0 and stop(x) < 1.0
    let y = select(inside, x, 0.5)
    let z = temperature * (log(y) - log1p(-y)) - self.odds()
    select(inside, log(temperature) - z - 2.0 * softplus(-z) - log(y) - log1p(-y), -inf)
  }
  noise() {
    let u = rand(self.shape)
    log(u) - log1p(-u)
  }
  transform(e) = sigmoid((self.odds() + e) / temperature)
  quantile(q) = self.transform(log(q) - log1p(-q))
  cdf(x) {
    let inside = stop(x) > 0.0 and stop(x) < 1.0
    let y = select(inside, x, 0.5)
    select(inside, sigmoid(temperature * (log(y) - log1p(-y)) - self.odds()), clip(x, 0.0, 1.0))
  }
}

/// A smooth relaxation of a choice: softmax((logits + Gumbel noise) / temperature) (Maddison, Mnih and Teh 2017,
/// equation 22).
dist relaxed_one_hot(temperature in positive, p: real[k] = none, logits: real[k] = none) on simplex(len(self.logs())) {
  logs() = if provided(logits) { logits } else { log(p) }
  logpdf(x) {
    let n = len(x)
    let z = self.logs() - temperature * log(x)
    lgamma(real(n)) + real(n - 1) * log(temperature) + sum(z - log(x)) - real(n) * logsumexp(z)
  }
  noise() = -log(-log(rand(shape(self.logs()))))
  transform(e) = softmax((self.logs() + e) / temperature)
}
