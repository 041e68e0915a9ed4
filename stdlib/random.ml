// Draws. Each is a pure function of the run's seed, the stage, the place in the program, the step and the lane, as `rand`
// is. What rejects runs in a bounded loop: where no proposal is accepted, which happens with a probability below 1e-15 a
// draw, the last proposal stands. In 32 bits `rand` has 23 bits, so events rarer than 2^-23 at one draw are not resolved.

/// 1 with probability p, otherwise 0, of the shape of `p`.
fn flips(p) = real(rand(shape(p)) < p)

/// An index of a vector, with probability proportional to exp(logits) (the largest of logits with Gumbel noise).
fn choice(logits) = argmax(stop(logits) - log(-log(rand(shape(logits)))))

/// The whole numbers below n in random order: that of n words of 32 bits. Two are equal with a probability below n^2 / 2^33,
/// and then keep their order.
fn permutation(n) = argsort(randint(-2147483648, 2147483648, n))

/// The rows of a tensor in random order.
fn shuffled(x) = x[permutation(len(x))]

/// Exponential with a rate, of the rate's shape.
fn exponential_draw(rate) = -log(rand(shape(rate))) / rate

/// The logarithm of a gamma draw, without derivatives: Marsaglia and Tsang 2000, for shapes below 1 by a power of a uniform
/// draw. At least 0.95 of the proposals are accepted.
fn log_gamma_plain(alpha) {
  let a = stop(alpha + 0.0)
  let d = select(a < 1.0, a + 1.0, a) - 1.0 / 3.0
  let c = 1.0 / sqrt(9.0 * d)
  let r = scan (v = ones_like(a), done = a < 0.0) while not all(done), max: 24 {
    let x = randn(shape(a))
    let t = 1.0 + c * x
    let w = t * t * t
    let bound = 0.5 * x * x + d - d * w + d * log(max(w, 1e-30))
    let accepted = w > 0.0 and log(rand(shape(a))) < bound
    next v = select(done, v, select(w > 0.0, w, 1.0))
    next done = done or accepted
  }
  let boost = select(a < 1.0, log(rand(shape(a))) / a, 0.0)
  log (d * r.v) + boost
}

/// `l`, the logarithm of a gamma draw with rate 1, as a function of the shape `alpha`. Its derivative is the implicit one
/// (Figurnov, Mohamed and Mnih 2018), of first order: minus that of the distribution function over the density of `l`.
fn log_gamma_implicit(alpha, l) = l
  with jvp(dalpha, dl, y) {
    let z = exp(y)
    // Far to the left the function is z^a / gamma(a + 1) to the last bit, though z may be 0.
    let far = y < -37.0
    let slope = (digamma(alpha + 1.0) - y) / alpha
    let weight = select(far, 1.0, exp(alpha * y - z - lgamma(alpha)))
    let moved = jvp(gammainc(alpha, z), wrt: alpha, along: dalpha) / weight
    dl + select(far, slope * dalpha, -moved)
  }

/// The logarithm of the number below which a gamma draw with rate 1 lies with probability `q`: Newton's steps on the scale of
/// logarithms, halved intervals where they lead outside. Its derivatives are implicit, of first order.
fn log_gamma_quantile(alpha, q) {
  let (a, u) = (stop(alpha + 0.0 * q), stop(q + 0.0 * alpha))
  fn newton(y) = y - (gammainc(a, exp(y)) - u) / exp(a * y - exp(y) - lgamma(a))
  // The distribution function is below z^a / gamma(a + 1); a draw above a + sqrt(2 a t) + t has a probability below exp(-t)
  // (Laurent and Massart 2000, lemma 1).
  let t = -log1p(-u)
  let (least, most) = ((log(u) + lgamma(a + 1.0)) / a, log(a + sqrt(2.0 * a * t) + t))
  let first = min(max(least, log(a)), most)
  let found = scan (y = first, low = least, high = most, far = u >= 0.0) while any(far), max: 60 {
    let short = gammainc(a, exp(y)) < u
    let (from, to) = (select(short, y, low), select(short, high, y))
    let n = newton(y)
    let z = select(n > from and n < to, n, 0.5 * (from + to))
    next y = z
    next low = from
    next high = to
    next far = abs(z - y) > 2e-7 * (1.0 + abs(y))
  }
  // One step more doubles the digits.
  let last = newton(found.y)
  _at_quantile(alpha + 0.0 * q, q + 0.0 * alpha, stop(select(abs(last - found.y) < 1e-3, last, found.y)))
}

fn _at_quantile(alpha, q, l) = l
  with jvp(dalpha, dq, dl, y) {
    let moved = dq - jvp(gammainc(alpha, exp(y)), wrt: alpha, along: dalpha)
    dl + moved / exp(alpha * y - exp(y) - lgamma(alpha))
  }

/// The logarithm of a draw of the gamma distribution with rate 1, of the shape of `alpha`, with the implicit derivative.
fn log_gamma_draw(alpha) = log_gamma_implicit(alpha + 0.0, stop(log_gamma_plain(alpha)))

/// A draw of the gamma distribution with rate 1, with the implicit derivative by `alpha` (see `log_gamma_draw`).
fn gamma_draw(alpha) = exp(log_gamma_draw(alpha))

/// A draw of the beta distribution, of the shape of both.
fn beta_draw(a, b) = sigmoid(log_gamma_draw(a) - log_gamma_draw(b))

/// A draw of the Dirichlet distribution: a vector that sums to 1.
fn dirichlet_draw(alpha: real[n]) = softmax(log_gamma_draw(alpha))

/// A draw of Student's distribution with `nu` degrees of freedom.
fn student_t_draw(nu) = randn(shape(nu)) * sqrt(0.5 * nu / gamma_draw(0.5 * nu))

/// A draw of the Poisson distribution, real without a fraction. Below a rate of 10 arrivals are counted, at most 90 of them
/// (more have a probability below 1e-50); from there on Hörmann's rejection from a transformed uniform (PTRS, 1993).
fn poisson_draw(rate) {
  let mu = f64(stop(rate + 0.0))
  let few = mu < 10.0
  let counted = scan (t = exponential_time(mu), n = 0.0 * mu) while any(few and t < mu), max: 90 {
    next n = select(t < mu, n + 1.0, n)
    next t = t + exponential_time(mu)
  }
  let m = max(mu, 10.0)
  let b = 0.931 + 2.53 * sqrt(m)
  let a = -0.059 + 0.02483 * b
  let inverse = 1.1239 + 1.1328 / (b - 3.4)
  let inner = 0.9277 - 3.6224 / (b - 2.0)
  let many = scan (k = 0.0 * m, done = few) while not all(done), max: 64 {
    let u = f64(rand(shape(m))) - 0.5
    let v = f64(rand(shape(m)))
    let us = 0.5 - abs(u)
    let w = floor((2.0 * a / us + b) * u + m + 0.43)
    let whole = max(w, 0.0)
    let density = whole * log(m) - m - lgamma(whole + 1.0)
    let squeezed = us >= 0.07 and v <= inner
    let possible = w >= 0.0 and (us >= 0.013 or v <= us)
    let below = log(v * inverse / (a / (us * us) + b)) <= density
    next k = select(done, k, whole)
    next done = done or squeezed or possible and below
  }
  real(select(few, counted.n, many.k))
}

/// -log of a uniform draw, in 64 bits.
fn exponential_time(like) = -log(f64(rand(shape(like))))

/// The number of successes in n trials of probability p, real without a fraction. Where fewer than 10 successes, or
/// failures, are expected the gaps between them are drawn, at most 110; elsewhere Hörmann's rejection from a transformed
/// uniform (BTRS, 1993).
fn binomial_draw(n, p) {
  let both = stop(0.0 * (n + p))
  let count = f64(stop(n + both))
  let chance = f64(stop(p + both))
  let turned = chance > 0.5
  let q = select(turned, 1.0 - chance, chance)
  let few = count * q < 10.0
  let rest = log1p(-select(few, q, 0.1))
  let gaps = scan (at = gap(rest), k = 0.0 * q) while any(few and at <= count), max: 110 {
    next k = select(at <= count, k + 1.0, k)
    next at = at + gap(rest)
  }
  let s = select(few, 0.4, q)
  let t = select(few, 100.0, count)
  let spread = sqrt(t * s * (1.0 - s))
  let b = 1.15 + 2.53 * spread
  let a = -0.0873 + 0.0248 * b + 0.01 * s
  let inner = 0.92 - 4.2 / b
  let alpha = (2.83 + 5.1 / b) * spread
  let odds = log(s / (1.0 - s))
  let mode = floor((t + 1.0) * s)
  let top = lgamma(mode + 1.0) + lgamma(t - mode + 1.0)
  let many = scan (k = 0.0 * q, done = few) while not all(done), max: 64 {
    let u = f64(rand(shape(q))) - 0.5
    let v = f64(rand(shape(q)))
    let us = 0.5 - abs(u)
    let w = floor((2.0 * a / us + b) * u + t * s + 0.5)
    let possible = w >= 0.0 and w <= t
    let k0 = min(max(w, 0.0), t)
    let ratio = top - lgamma(k0 + 1.0) - lgamma(t - k0 + 1.0) + (k0 - mode) * odds
    let below = log(v * alpha / (a / (us * us) + b)) <= ratio
    let squeezed = us >= 0.07 and v <= inner
    next k = select(done, k, k0)
    next done = done or possible and (squeezed or below)
  }
  let successes = select(few, gaps.k, many.k)
  real(select(turned, count - successes, successes))
}

/// Trials up to the next success, given the logarithm of the probability of none.
fn gap(log_rest) = floor(log(f64(rand(shape(log_rest)))) / log_rest) + 1.0
