// Distributions of counts, reals without a fraction.

use std.random.{poisson_draw, binomial_draw, gamma_draw}
use std.special.{lchoose, xlog1py}
use std.dist.xlogy

/// Is it a whole number, and not negative?
fn is_count(x) = x >= 0.0 and x == floor(x)

/// The number of successes in `n` trials with probability `p`, or `logits`.
dist binomial(n in natural, p in unit = none, logits = none) on natural {
  probs() = if provided(logits) { sigmoid(logits) } else { p }
  logpdf(x) {
    let inside = is_count(x) and x <= real(n)
    let y = select(inside, x, 0.0)
    let ways = lchoose(real(n) + zeros_like(y), y)
    let l = if provided(logits) {
      y * logits - real(n) * softplus(logits)
    } else {
      xlogy(y, p) + xlog1py(real(n) - y, -p)
    }
    select(inside, ways + l, -inf)
  }
  sample() = binomial_draw(real(n) + zeros(self.shape), self.probs() + zeros(self.shape))
  // The number of trials has to be known at compile time.
  support() = real(iota(int(n) + 1))
  cdf(x) {
    let k = floor(clip(x, 0.0, real(n)))
    let whole = k >= real(n)
    let inner = betainc(select(whole, 1.0, real(n) - k), k + 1.0, 1.0 - self.probs())
    select(x < 0.0, 0.0, select(whole, 1.0, inner))
  }
  quantile(q) = min(_first_count(|x| self.cdf(x), q + zeros(self.shape)), real(n))
  mean() = real(n) * self.probs()
  variance() = real(n) * self.probs() * (1.0 - self.probs())
}

/// The number of failures before the first success.
dist geometric(p in unit) on natural {
  logpdf(x) {
    let inside = is_count(x)
    select(inside, log(p) + xlog1py(select(inside, x, 0.0), -p), -inf)
  }
  sample() = floor(log(rand(self.shape)) / log1p(-p))
  // The derivative of p (1 - p)^x is 1 / p times the difference of this law and one more than the sum of two draws of
  // it.
  mvd() {
    let (x, y) = (stop(self.sample()), stop(self.sample()))
    [(p, 1.0 / stop(p), x, x + y + 1.0)]
  }
  mvd_order() = 1
  cdf(x) = -expm1(log1p(-p) * (floor(max(x, -1.0)) + 1.0))
  quantile(u) = max(ceil(log1p(-u) / log1p(-p)) - 1.0, 0.0)
  mean() = (1.0 - p) / p
  variance() = (1.0 - p) / (p * p)
  entropy() = -log(p) - xlog1py((1.0 - p) / p, -p)
  kl(q: geometric) = log(p / q.p) + (1.0 - p) / p * (log1p(-p) - log1p(-q.p))
}

/// The number of arrivals at a rate.
dist poisson(rate in positive) on natural {
  logpdf(x) {
    let inside = is_count(x)
    let y = select(inside, x, 0.0)
    select(inside, y * log(rate) - rate - lgamma(y + 1.0), -inf)
  }
  sample() = poisson_draw(rate + zeros(self.shape))
  // The derivative of E f(x) is E f(x + 1) - E f(x).
  mvd() {
    let x = stop(self.sample())
    [(rate, 1.0, x + 1.0, x)]
  }
  mvd_order() = 1
  cdf(x) = select(x < 0.0, 0.0, gammaincc(floor(max(x, 0.0)) + 1.0, rate))
  quantile(q) = _first_count(|x| self.cdf(x), q + zeros(self.shape))
  mean() = rate
  variance() = rate
  kl(q: poisson) = rate * log(rate / q.rate) + q.rate - rate
}

/// Poisson with a gamma rate of mean `mu` and shape `phi`: the variance is mu + mu^2 / phi (Stan's neg_binomial_2).
dist negative_binomial(mu in positive, phi in positive) on natural {
  logpdf(x) {
    let inside = is_count(x)
    let y = select(inside, x, 0.0)
    let ways = -lbeta(y + 1.0, phi + zeros_like(y)) - log(y + phi)
    select(inside, ways - phi * log1p(mu / phi) - y * log1p(phi / mu), -inf)
  }
  sample() = poisson_draw(stop(mu / phi * gamma_draw(phi + zeros(self.shape))))
  cdf(x) = select(x < 0.0, 0.0, betainc(phi, floor(max(x, 0.0)) + 1.0, phi / (mu + phi)))
  quantile(q) = _first_count(|x| self.cdf(x), q + zeros(self.shape))
  mean() = mu
  variance() = mu + mu * mu / phi
}

/// The whole numbers from `low` to `high`, both among them, which are known at compile time.
dist discrete_uniform(low, high) on natural {
  logpdf(x) = select(x >= real(low) and x <= real(high) and x == floor(x), -log(real(high - low + 1)), -inf)
  sample() = real(randint(low, high + 1))
  support() = real(low) + real(iota(high - low + 1))
  cdf(x) = clip((floor(x) - real(low) + 1.0) / real(high - low + 1), 0.0, 1.0)
  quantile(u) = real(low) + clip(ceil(u * real(high - low + 1)) - 1.0, 0.0, real(high - low))
  mean() = 0.5 * real(low + high)
  variance() = (square(real(high - low + 1)) - 1.0) / 12.0
  entropy() = log(real(high - low + 1))
}

/// How often each of k categories comes in `n` trials: a vector of counts.
dist multinomial(n in natural, p: real[k] = none, logits: real[k] = none) on natural {
  probs() = if provided(logits) { softmax(logits) } else { p }
  logpdf(x) {
    let inside = all(is_count(x)) and sum(x) == real(n)
    let y = select(is_count(x), x, 0.0)
    let l = if provided(logits) { sum(y * log_softmax(logits)) } else { sum(xlogy(y, p)) }
    if inside { lgamma(real(n) + 1.0) - sum(lgamma(y + 1.0)) + l } else { -inf }
  }
  // One category after the other, of the trials that are left.
  sample() {
    let p = stop(self.probs())
    let rest = flip(cumsum(flip(p)))
    let share = clip(p / select(rest > 0.0, rest, 1.0), 0.0, 1.0)
    let (_, x) = scan (left = real(n)) for (q, last) in (share, iota(len(p)) == len(p) - 1) {
      let y = if last { left } else { binomial_draw(left, q) }
      next left = left - y
      yield y
    }
    x
  }
  mean() = real(n) * self.probs()
  variance() = real(n) * self.probs() * (1.0 - self.probs())
}

/// A category 0 .. m by the cut points that a logistic draw around `eta` lies between; they ascend.
dist ordered_logistic(eta, cutpoints: real[m] in ordered(m)) on natural {
  // log(sigmoid(a) - sigmoid(b)) = log sigmoid(a) + log sigmoid(-b) + log(1 - exp(b - a))
  logs() {
    let a = eta - cutpoints
    let gaps = cutpoints[1..m] - cutpoints[0..m - 1]
    let inner = log_sigmoid(a[0..m - 1]) + log_sigmoid(-a[1..m]) + log(-expm1(-gaps))
    concat(log_sigmoid(-a[0..1]), inner, log_sigmoid(a[m - 1..m]))
  }
  probs() = exp(self.logs())
  logpdf(x) {
    let inside = is_count(x) and x <= real(m)
    select(inside, take(self.logs(), int(select(inside, x, 0.0))), -inf)
  }
  sample() = real(argmax(stop(self.logs()) - log(-log(rand(m + 1)))))
  support() = real(iota(m + 1))
  mvd() {
    let p = self.probs()
    scan (l = []) for i in 0..m, unroll: true { next l = append(l, (p[i], 1.0, real(i), real(m))) }
  }
  mvd_order() = inf
  cdf(x) = sum(select(real(iota(m + 1)) <= x, self.probs(), 0.0))
  quantile(u) = min(real(count(cumsum(self.probs()) < u)), real(m))
  mean() = dot(self.probs(), real(iota(m + 1)))
  variance() = dot(self.probs(), square(real(iota(m + 1)) - self.mean()))
  entropy() = -sum(self.probs() * self.logs())
}

/// The first count whose distribution function `cdf` is not below `q`: doubled until it is not, then halved between. Without
/// derivatives. Counts above 2^40 are not looked for.
fn _first_count(cdf, q) {
  let u = stop(q)
  let bound = scan (high = 0.0 * u, low = 0.0 * u - 1.0) while any(stop(cdf(high)) < u), max: 40 {
    let short = stop(cdf(high)) < u
    next low = select(short, high, low)
    next high = select(short, 2.0 * high + 1.0, high)
  }
  let found = scan (low = bound.low, high = bound.high) while any(high - low > 1.0), max: 40 {
    let middle = floor(0.5 * (low + high))
    let short = stop(cdf(middle)) < u
    next low = select(short, middle, low)
    next high = select(short, high, middle)
  }
  found.high
}
