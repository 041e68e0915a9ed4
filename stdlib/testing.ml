// Checks for `test` blocks. Each gives a record: `holds` says whether it does, and a failing `assert` shows the other parts.

/// Do the reverse and the forward derivative of `f` at `at` agree with finite differences? `f` takes a tensor, tuple or record of
/// reals to one real. All is computed in f64, along one random direction, with central differences of two widths (Richardson's
/// extrapolation, error of the order of step^4); `tol` is relative where the derivative is larger than 1. In a pipeline of f32,
/// `f` must take f64 as well: declare no `real`, or write `precision f64`. Without draws of its own.
fn gradients_match(f, at, tol = 1e-6, step = 1e-3) {
  let x = f64(at)
  let u = map(|t| f64(2.0 * rand(shape(t)) - 1.0), x)
  let y = f(x)
  let reverse = dot(grad(y, wrt: x), u)
  let forward = jvp(y, wrt: x, along: u)
  let near = (f(x + step * u) - f(x - step * u)) / (2.0 * step)
  let far = (f(x + 2.0 * step * u) - f(x - 2.0 * step * u)) / (4.0 * step)
  let differences = (4.0 * near - far) / 3.0
  let most = tol * max(abs(differences), 1.0)
  {holds: abs(reverse - differences) <= most and abs(forward - differences) <= most, reverse, forward, differences}
}

/// Is the mean of independent draws `draw(i)`, i = 0, 1, .., equal to `truth`, as in
/// `unbiased(|i| grad(elbo(p(), q()), wrt: mu), truth: g)`; or to the mean of a reference estimator, `against: |i| ..`? A
/// sequential test, `batch` draws at a time, at most `draws` in all:
///
/// - `biased`, and fails, where the truth leaves the confidence sequence of the mean. An unbiased estimator does so with a probability
///   of at most `error`, however long it goes on; a thousand of these in a suite with at most 1e-6.
/// - holds where the whole sequence lies within `precision * scale` of the truth, which the sequence of an estimator whose mean is
///   farther off does with a probability of at most `error`. `scale` is the largest component of the truth, if not said.
/// - `undecided`, and fails, where `draws` are too few for either: allow more, or a coarser `precision`.
///
/// exp(x - x^2/6) <= 1 + x + x^2/3 (Delyon 2009). So for a sum M of independent x without mean, exp(l M - l^2 V/2) is a
/// supermartingale for each l, with V = (sum of x^2 + 2 sum of their variances) / 3, and so is its mean over l from a normal of
/// variance r, exp(r M^2 / (2 + 2 r V)) / sqrt(1 + r V). It exceeds 1/e with a probability of at most e (Ville; Robbins 1970; the
/// two-sided normal mixture of Howard et al. 2021). Here x is a draw less the truth, and its variance in V is `margin` times what
/// all draws before showed: the probabilities hold if it is no larger. A hundredth of the precision counts as rounding.
fn unbiased(
  draw,
  truth = none,
  against = none,
  error = 1e-9,
  precision = 0.03,
  scale = none,
  draws = 8388608,
  batch = 1024,
  margin = 1.5,
) {
  fn vector(g) = f64(flatten(g))
  // The first batch says how large things are, and counts for nothing else.
  let (first, other) = for i in 0..batch {
    (vector(draw(i)), if provided(truth) { vector(truth) } else { vector(against(i)) })
  }
  let size_of_draws = sqrt(max(mean(square(first), axis: 0)))
  let (target, largest) = if provided(truth) {
    (vector(truth), max(abs(vector(truth))))
  } else {
    let m = mean(other, axis: 0)
    (0.0 * m, max(max(abs(m)), 0.1 * size_of_draws))
  }
  let size_of_truth = select(largest > 0.0, largest, select(size_of_draws > 0.0, size_of_draws, 1.0))
  let unit = if provided(scale) { f64(scale) } else { size_of_truth }
  let wide = precision * unit
  fn less_truth(i) = vector(draw(i)) - if provided(truth) { target } else { vector(against(i)) }
  // Beyond this a sequence has left, for each of the components.
  let limit = 2.0 * log(size(target) / error)
  let least = square(1e-3 * wide)
  let pilot = for (x, y) in (first, other) { square(x - y) }
  let expected = (limit + 8.0) * square(mean(pilot, axis: 0) + least) / square(wide)
  let r = (limit + log(1.0 + limit)) / expected
  fn left(sums, variance) = square(sums) > (variance + 1.0 / r) * (limit + log(1.0 + r * variance))
  let none_yet = 0.0 * target
  let end = scan (
    k = 1,
    // Sums of x, of x^2, of the variances that count, and of x^2 of all draws.
    s = none_yet,
    q = none_yet,
    v = none_yet,
    all_squares = sum(pilot, axis: 0),
    biased = false,
    sure = false,
  ) while not biased and not sure, max: max(div(draws, batch) - 1, 1) {
    let x = for i in 0..batch { less_truth(k * batch + i) }
    let n = f64(k) * batch
    let sums = s + sum(x, axis: 0)
    let squares = q + sum(square(x), axis: 0)
    let variances = v + batch * (margin * all_squares / n + least)
    let away = relu(abs(sums) - 0.01 * wide * n)
    fn shifted(d) = left(sums - n * d, (squares - 2.0 * d * sums + n * d * d + 2.0 * variances) / 3.0)
    next k = k + 1
    next s = sums
    next q = squares
    next v = variances
    next all_squares = all_squares + sum(square(x), axis: 0)
    next biased = any(left(away, (squares + 2.0 * variances) / 3.0))
    next sure = all(shifted(wide)) and all(shifted(-wide)) and all(abs(sums) < n * wide)
  }
  let n = f64(end.k - 1) * batch
  {
    holds: end.sure and not end.biased,
    biased: end.biased,
    undecided: not end.biased and not end.sure,
    mean: target + end.s / n,
    truth: target,
    within: wide,
    draws: n,
  }
}
