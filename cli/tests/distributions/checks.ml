// What a distribution declares, against the rest of it. `make` gives the distribution from a vector of its parameters,
// `at` is where; every member that is there is checked, so a distribution needs no tests of its own but a row.
//
// Integrals go over the reals, mapped into the support, with t = sinh(s) at 3001 places: the error of the trapezoid
// rule is far below `tol` for smooth densities. Draws: a mean of n draws may lie 5.5 standard errors away, which one
// in 2e7 would.

use std.supports.reals

/// The places of an integral over a support, and their weights.
fn places(on) {
  let s = linspace(-14.0, 14.0, 3001)
  let t = sinh(s)
  let w = cosh(s) * (28.0 / 3000.0)
  let x = for v in t { on .constrain(v) }
  (x, for (v, u) in (t, w) { u * exp(on .log_jacobian(v)) })
}

/// The places of a sum.
fn points(low, n) = (low + real(iota(n)), ones(n))

/// A bounded function with a slope everywhere.
fn probe(x) = tanh(0.3 * x)

fn apart(a, b) = max(abs(a - b) / (1.0 + abs(b)))

/// The largest absolute difference of a mean of `draws` from `truth`, in multiples of what it may be.
fn far(draws, truth) {
  let m = mean(draws, axis: 0)
  let bound = 5.5 * std(draws, axis: 0) / sqrt(real(len(draws))) + 1e-5
  max(abs(m - truth) / bound)
}

/// Checks a distribution of single numbers: `grid(d, at)` gives places and weights.
fn check(make, at, grid, other = none, moments = true, draws = 4000) {
  let d = make(at)
  let (x, w) = grid(d, at)
  let l = for v in x { d.logpdf(v) }
  // Where the density is 0 in this precision it has no part in a derivative.
  let p = for (v, u) in (x, w) { if stop(d.logpdf(v)) > -700.0 { u * exp(d.logpdf(v)) } else { 0.0 } }
  let seen = p > 0.0
  fn expected(f) = sum(select(seen, p * f, 0.0))
  let mass = abs(sum(p) - 1.0)
  let mean_error = if has(d, mean) and moments { apart(expected(x), d.mean()) } else { 0.0 }
  let variance_error = if has(d, variance) and moments {
    apart(expected(square(x - expected(x))), d.variance())
  } else {
    0.0
  }
  let entropy_error = if has(d, entropy) { apart(-expected(select(seen, l, 0.0)), d.entropy()) } else { 0.0 }
  let kl_error = if has(d, kl) and provided(other) {
    let q = make(other)
    let lq = for v in x { q.logpdf(v) }
    max(apart(expected(select(seen, l - lq, 0.0)), d.kl(q)), abs(d.kl(d)))
  } else {
    0.0
  }
  // The derivative of the mass is 0, that of a mean is what estimators have to find.
  let mass_slope = max(abs(grad(sum(p), wrt: at)))
  let truth = grad(sum(p * probe(x)), wrt: at)
  let drawn = if has(d, sample) {
    let y = for i in 0..draws { d.sample() }
    far(for v in y { [probe(v), square(probe(v))] }, [expected(probe(x)), expected(square(probe(x)))])
  } else {
    0.0
  }
  let pathwise = if has(d, transform) {
    far(for i in 0..draws { grad(probe(make(at).transform(stop(make(at).noise()))), wrt: at) }, truth)
  } else {
    0.0
  }
  let weak = if has(d, mvd) { far(for i in 0..draws { weak_slope(make, at) }, truth) } else { 0.0 }
  let exact = max([mass, mean_error, variance_error, entropy_error, kl_error, mass_slope])
  {
    holds: exact < 2e-5 and max([drawn, pathwise, weak]) < 1.0,
    mass,
    mean_error,
    variance_error,
    entropy_error,
    kl_error,
    mass_slope,
    drawn,
    pathwise,
    weak,
  }
}

/// The derivative of the mean of `probe` by weak derivatives.
fn weak_slope(make, at) {
  let terms = make(at).mvd()
  let s = scan (s = 0.0) for (theta, c, plus, minus) in terms, unroll: true {
    next s = s + stop(c * (probe(plus) - probe(minus))) * tangent(theta)
  }
  grad(s, wrt: at)
}

/// A continuous distribution, over its support or one that is given. The distribution function is compared with the
/// integral up to each place, `quantile` is its inverse.
fn continuous(make, at, other = none, moments = true, on = none) {
  // Places move with a support that does, so that the integral is one of the parameters wherever they are.
  fn grid(d, t) = places(if provided(on) { on(t) } else { d.on })
  let c = check(make, at, grid, other: other, moments: moments)
  let d = make(at)
  let (x, w) = grid(d, at)
  let p = w * exp(for v in x { d.logpdf(v) })
  // The trapezoid rule up to a place, less its first term of error there.
  let n = len(p)
  let up_to = cumsum(p) - 0.5 * p - pad(p[2..] - p[0..n - 2], (1, 1)) / 24.0
  let cdf_error = if has(d, cdf) { max(abs(up_to - (for v in x { d.cdf(v) }))) } else { 0.0 }
  let quantile_error = if has(d, quantile) {
    let q = [0.001, 0.3, 0.5, 0.9]
    max(abs((for v in q { d.cdf(d.quantile(v)) }) - q))
  } else {
    0.0
  }
  {..c, holds: c.holds and cdf_error < 5e-5 and quantile_error < 1e-9, cdf_error, quantile_error}
}

/// A distribution of whole numbers from `low`; beyond `n` of them lies nothing that counts. A `support` has all the
/// mass; with `whole` there is none between.
fn discrete(make, at, other = none, low = 0.0, n = 400, whole = true) {
  fn grid(d, t) = points(low, n)
  let c = check(make, at, grid, other: other)
  let d = make(at)
  let (x, _) = grid(d, at)
  let p = exp(for v in x { d.logpdf(v) })
  let cdf_error = if has(d, cdf) { max(abs(cumsum(p) - (for v in x { d.cdf(v) }))) } else { 0.0 }
  let support_error = if has(d, support) {
    abs(sum(exp(for v in d.support() { d.logpdf(v) })) - 1.0)
  } else {
    0.0
  }
  let between = if whole { exp(d.logpdf(low + 0.5)) + exp(d.logpdf(low - 1.0)) } else { 0.0 }
  // A quantile is the first point with so much mass up to it.
  let quantile_error = if has(d, quantile) {
    let wrong = for q in [0.001, 0.3, 0.5, 0.9] {
      let y = d.quantile(q)
      d.cdf(y) < q or d.cdf(y - 1.0) >= q
    }
    sum(real(wrong))
  } else {
    0.0
  }
  let exact = max([cdf_error, support_error, quantile_error, between])
  {..c, holds: c.holds and exact < 1e-9, cdf_error, support_error, quantile_error, between}
}
