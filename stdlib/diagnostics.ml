// Is a fit any good? What `verdict` in a stage asks, and what `stop when` goes by. Each check is a record whose field `holds` says
// yes or no; the others are shown and logged.

/// Is the guide `q` near enough to the posterior that the model `p`, conditioned on what was observed, has? From `n` draws of
/// `q`: the bound `elbo` with its standard error `elbo_se`, and what `even` says of the importance ratios.
fn fitted(p, q, n = 4000) {
  let r = for i in 0..n {
    let (t, lq) = sample(q)
    f64(logdensity(p, t) - lq)
  }
  let (seen, bound) = (even(r), real(mean(r)))
  {
    holds: seen.holds and is_finite(bound),
    elbo: bound,
    elbo_se: real(std(r, ddof: 1) / sqrt(f64(n))),
    khat: seen.khat,
    ess: seen.ess,
  }
}

/// Are importance ratios, of which `r` are the logarithms, so even that expectations can be corrected by them? `ess` is the share
/// of the draws that the weighted ones are worth: 1 / (1 + the variance of the ratios over their squared mean) (Kong 1992);
/// `khat` the shape of the tail. They are where `khat` is below min(1 - 1 / log10(n), 0.7) (Vehtari et al. 2024, section 3.2.4)
/// and the draws are worth a tenth of their number: a tail of which little was seen looks light, but not even. They are, too,
/// where the draws are worth nine tenths, whatever the shape of the little that varies: then no mean lies more than a third of
/// its standard deviation off even uncorrected, by the inequality of Cauchy and Schwarz. Elsewhere the guide misses parts of the
/// posterior, and should not be used for it (Yao, Vehtari, Simpson and Gelman 2018).
fn even(r: T[n]) {
  let k = khat(r)
  let w = exp(f64(r) - max(f64(r)))
  let ess = real(square(mean(w)) / mean(square(w)))
  let limit = min(1.0 - log(10.0) / log(real(n)), 0.7)
  {holds: k < inf and (ess >= 0.9 or k < limit and ess >= 0.1), khat: k, ess: ess}
}

/// The k of a generalised Pareto distribution fitted to the largest exp(r): moments of the ratios above 1/k do not exist (Vehtari et
/// al. 2024, algorithm 1). The tail has min(n/5, 3 sqrt(n)) of the n log ratios `r`. Infinite where one is no number or +inf,
/// and where the tail has fewer than five; 0 where it is flat.
fn khat(r: T[n]) {
  let m = min(div(n, 5), root(9 * n))
  if m < 5 { inf } else { _tail_shape(r, m) }
}

fn _tail_shape(r, m) {
  let (top, _) = top_k(f64(r), m + 1)
  let valid = all(r == r) and top[0] < inf and top[0] > -inf
  let safe = if valid { top - top[0] } else { f64(-iota(m + 1)) }
  // Above the largest that is not in the tail, ascending.
  let excess = flip(exp(safe[0..m])) - exp(safe[m])
  let flat = excess[m - 1] < 1e-6
  let k = pareto_shape(if flat { f64(iota(m) + 1) } else { excess })
  real(if valid { if flat { 0.0 * k } else { k } } else { inf + 0.0 * k })
}

/// The least whole number whose square is at least n, for n known at compile time, by Newton's method.
fn root(n, above = none) {
  let x = if provided(above) { above } else { n }
  let y = div(x + div(n, max(x, 1)), 2)
  if y >= x { if x * x < n { x + 1 } else { x } } else { root(n, above: y) }
}

/// The shape of a generalised Pareto distribution of which `x` are draws above 0, ascending (Zhang and Stephens 2009, section 4),
/// drawn to 1/2 as if by ten draws more (Vehtari et al. 2024, appendix C).
fn pareto_shape(x: T[n]) {
  let size = f64(n)
  let points = 30 + root(n)
  // A prior over theta = k / sigma around the quartile, which no tie may make 0.
  let quartile = max(x[div(n + 2, 4) - 1], 1e-12 * x[n - 1])
  let theta = for j in 0..points {
    1.0 / x[n - 1] + (1.0 - sqrt(f64(points) / (f64(j) + 0.5))) / (3.0 * quartile)
  }
  fn shape_at(t) = mean(log1p(-t * x))
  let heights = for t in theta {
    let k = shape_at(t)
    size * (log(-t / k) - k - 1.0)
  }
  let best = dot(softmax(heights), theta)
  (size * shape_at(best) + 5.0) / (size + 10.0)
}

/// The potential scale reduction of each component of a window of iterates, its rows, cut into `pieces` that follow one another: near
/// 1 where they have forgotten where they came from (Gelman et al. 2013, section 11.4; of iterates, Dhaka et al. 2020).
fn rhat(x: T[n, d], pieces = 2) {
  let m = div(n, pieces)
  let chains = reshape(x[n - pieces * m..], pieces, m, d)
  let within = mean(var(chains, axis: 1, ddof: 1), axis: 0)
  let between = var(mean(chains, axis: 1), axis: 0, ddof: 1)
  let some = select(within > 0.0, within, 1.0)
  let ratio = sqrt((real(m - 1) / real(m) * within + between) / some)
  select(within > 0.0, ratio, select(between > 0.0, inf, select(within == 0.0, 1.0, nan)))
}

/// The standard error of the mean of each component of a window of iterates that depend on one another, by the means of about sqrt(n)
/// pieces (Flegal and Jones 2010).
fn mcse(x: T[n, d]) {
  let pieces = root(n)
  let m = div(n, pieces)
  let means = mean(reshape(x[n - pieces * m..], pieces, m, d), axis: 1)
  std(means, axis: 0, ddof: 1) / sqrt(real(pieces))
}

/// A window of the last `n` iterates of `x`, for a `state`; its rows are no numbers until they are filled.
fn window(n, x) = for i in 0..n { nan * zeros_like(flatten(x)) }

/// The window with one iterate more, and without its oldest.
fn slide(w: T[n, d], x) = concat(w[1..], insert_axis(stop(flatten(x)), 0))

/// Do the iterates in a window go nowhere any more? For `stop when converged(w)`: `rhat` of each component is below `below`, and, if
/// said, the standard error of its mean below `within`.
fn converged(w: T[n, d], below = 1.1, within = none) {
  let settled = all(rhat(w) < below)
  if provided(within) { settled and all(mcse(w) < within) } else { settled }
}

/// Simulation-based calibration (Talts et al. 2018). `simulate(i)` draws parameters from the prior and data from the model, a pair;
/// `posterior(data)` draws parameters of the same form from what is to be checked. In each of `n` simulations the true
/// parameters have a rank among `draws` of the posterior. If those are right, ranks are even over `bins`; a chi-squared test of each
/// component says so with the `p_value`, and fails below `error` over the number of components.
fn calibrated(simulate, posterior, n = 1024, draws = 63, bins = 16, error = 1e-6) {
  let ranks = for i in 0..n {
    let (truth, data) = simulate(i)
    let at = flatten(truth)
    sum(for j in 0..draws { int(flatten(posterior(data)) < at) }, axis: 0)
  }
  let level = real(n) / real(bins)
  let (distance, p) = for column in transpose(ranks) {
    let counts = real(bincount(div(column * bins, draws + 1), bins))
    let c = sum(square(counts - level)) / level
    (c, gammaincc(0.5 * real(bins - 1), 0.5 * c))
  }
  {holds: all(p * real(len(p)) > error), p_value: p, chi_squared: distance}
}
