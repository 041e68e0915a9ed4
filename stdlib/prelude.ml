// Visible in every pipeline without `use`. Everything here is written in the language.

/// max(x, 0)
fn relu(x) = max(x, 0.0)

/// x where it is positive, `slope` times x elsewhere; `slope` is between 0 and 1.
fn leaky_relu(x, slope = 0.01) = max(x, slope * x)

/// x * sigmoid(x) (Hendrycks and Gimpel 2016, there SiL).
fn silu(x) = x * sigmoid(x)

/// x * x, leaf by leaf.
fn square(x) = x * x

/// log(sigmoid(x)), finite wherever its value is.
fn log_sigmoid(x) = -softplus(-x)

/// log(sum(exp(x))) over all elements, or over `axis` (one or a list). Exact where all are -inf, or some are inf.
fn logsumexp(x, axis = none) {
  let top = stop(max(x, axis: axis))
  let m = select(is_finite(top), top, 0.0)
  m + log(sum(exp(x - spread(m, like: x, axis: axis)), axis: axis))
}

/// log(mean(exp(x))) over all elements, or over `axis`.
fn logmeanexp(x, axis = none) = logsumexp(x, axis: axis) - log(real(size(x, axis: axis)))

/// log of the softmax along an axis, by default the last.
fn log_softmax(x, axis = -1) = x - spread(logsumexp(x, axis: axis), like: x, axis: axis)

/// exp(x) / sum(exp(x)) along an axis, by default the last.
fn softmax(x, axis = -1) {
  let top = stop(max(x, axis: axis))
  let e = exp(x - spread(select(is_finite(top), top, 0.0), like: x, axis: axis))
  e * spread(1.0 / sum(e, axis: axis), like: x, axis: axis)
}

/// log(cumsum(exp(x))) along an axis, by default the last: exact however far the elements lie apart.
fn logcumsumexp(x, axis = -1) = logcumsumexp_from(x, 1, axis)

/// The steps of `logcumsumexp` from distance `k` on: sums of stretches twice as long at each (Hillis and Steele 1986).
fn logcumsumexp_from(x, k, axis) =
  if k >= size(x, axis: axis) {
    x
  } else {
    let before = pad(take(x, 0..size(x, axis: axis) - k, axis: axis), (k, 0), axis: axis, value: -inf)
    let top = stop(max(x, before))
    let m = select(is_finite(top), top, 0.0)
    let nothing = top == -inf
    let total = select(nothing, 1.0, exp(x - m) + exp(before - m))
    logcumsumexp_from(select(nothing, -inf, m + log(total)), 2 * k, axis)
  }

/// The variance of all elements, or along `axis` (one or a list), divided by their number less `ddof`.
fn var(x, axis = none, ddof = 0) {
  let m = mean(x, axis: axis)
  mean(square(x - spread(m, like: x, axis: axis)), axis: axis, ddof: ddof)
}

/// The square root of `var`.
fn std(x, axis = none, ddof = 0) = sqrt(var(x, axis: axis, ddof: ddof))

/// The sum of squares, over all leaves of a record.
fn sqnorm(x) = dot(x, x)

/// The Euclidean length, over all leaves of a record; or of each part along `axis` (one or a list).
fn norm(x, axis = none) = if provided(axis) { sqrt(sum(square(x), axis: axis)) } else { sqrt(sqnorm(x)) }

/// How many are true, over all or along `axis`.
fn count(b, axis = none) = sum(select(b, 1, 0), axis: axis)

/// a + t * (b - a), leaf by leaf.
fn lerp(a, b, t) = a + t * (b - a)

/// The nearest value in [low, high].
fn clip(x, low, high) = min(max(x, low), high)

/// Standard normal draws of a shape: the inverse distribution function at uniform draws.
fn randn(n = []) = sqrt(2.0) * erfinv(2.0 * rand(n) - 1.0)

/// `n` numbers from `a` to `b`, both among them, evenly spaced.
fn linspace(a, b, n) {
  let t = real(iota(n)) / real(max(n - 1, 1))
  a * (1.0 - t) + b * t
}

/// All products of an element of one vector and one of the other.
fn outer(x, y) = einsum([i, j], x[i], y[j])

/// Differences of neighbours along an axis, by default the last.
fn diff(x, axis = -1) {
  let n = size(x, axis: axis)
  let one = min(n, 1)
  take(x, one..n, axis: axis) - take(x, 0..n - one, axis: axis)
}

/// The elements in ascending order along an axis, by default the last; NaN last.
fn sort(x, axis = -1, descending = false) =
  take_along(x, argsort(x, axis: axis, descending: descending), axis: axis)

/// The `k` largest elements along an axis, by default the last, in descending order, and their indices.
fn top_k(x, k, axis = -1) {
  let n = within(k, 0, size(x, axis: axis))
  let i = take(argsort(x, axis: axis, descending: true), 0..n, axis: axis)
  (take_along(x, i, axis: axis), i)
}

/// The place of each element in the ascending order along an axis, by default the last.
fn ranks(x, axis = -1) = argsort(argsort(x, axis: axis), axis: axis)

/// The value below which a share `q` of the elements lies, of all or along one `axis`: between two of them, linearly
/// (type 7 of Hyndman and Fan 1996). NaN if one is NaN. A computed share outside [0, 1] means the
/// nearer end.
fn quantile(x, q, axis = none) =
  if provided(axis) {
    let s = real(sort(x, axis: axis))
    let h = clip(within(q, 0.0, 1.0), 0.0, 1.0) * real(size(x, axis: axis) - 1)
    let i = int(floor(h))
    let low = take(s, i, axis: axis)
    let high = take(s, min(i + 1, size(x, axis: axis) - 1), axis: axis)
    select(any(x != x, axis: axis), nan, low + (h - real(i)) * (high - low))
  } else {
    quantile(flatten(x), q, axis: 0)
  }

/// The middle of the elements, of all or along one `axis`; the mean of the two middle ones of an even number.
fn median(x, axis = none) = quantile(x, 0.5, axis: axis)

/// The tensor with `v`, one number or parts, at indices `i` (one or a row) along its first axis; of equal indices the
/// last wins.
fn put(x, i, v) {
  let hit = scatter_add(zeros_int(len(x)), at: i, values: 1) > 0
  if rank(v) == 0 {
    for (h, old) in (hit, x) { select(h, v, old) }
  } else {
    let parts = if rank(i) == 0 { v } else { last_parts(i, v) }
    let new = scatter_add(zeros_like(x), at: i, values: parts)
    for (h, p, old) in (hit, new, x) { select(h, p, old) }
  }
}

/// Of parts `v` with equal indices `i` the last, and zeros for the others.
fn last_parts(i, v) {
  let order = argsort(i)
  let sorted = take(i, order)
  let n = size(i)
  let more = max(n - 1, 0)
  let last = concat(take(sorted, 0..more) != take(sorted, n - more..n), trues(n - more))
  let keep = scatter_add(zeros_int(n), at: order, values: int(last)) > 0
  for (k, p) in (keep, v) { select(k, p, zeros_like(p)) }
}

/// How often each of 0, 1, .. n - 1 stands in an int tensor; what lies outside is not counted.
fn bincount(x, n) {
  let i = flatten(x)
  scatter_add(zeros_int(n), at: i, values: int(i >= 0 and i < n))
}

/// How many of the ascending `edges` lie before each element of `x`: those less than it, or with `right` those not
/// greater.
fn searchsorted(edges, x, right = false) =
  if rank(x) == 0 {
    if right { count(not (edges > x)) } else { count(not (edges >= x)) }
  } else {
    for q in x { searchsorted(edges, q, right: right) }
  }

/// How many elements of `x` lie between neighbouring `edges`, which ascend; the last interval has its end.
fn histogram(x, edges) {
  let v = flatten(x)
  let n = len(edges) - 1
  let i = searchsorted(edges, v, right: true) - 1
  bincount(select(v == edges[n], n - 1, i), n)
}

/// A matrix with zeros above its diagonal `k`.
fn tril(x, k = 0) {
  let (n, m) = (shape(x)[0], shape(x)[1])
  select(iota(n, m, axis: 1) <= iota(n, m, axis: 0) + k, x, zeros_like(x))
}

/// A matrix with zeros below its diagonal `k`.
fn triu(x, k = 0) {
  let (n, m) = (shape(x)[0], shape(x)[1])
  select(iota(n, m, axis: 1) >= iota(n, m, axis: 0) + k, x, zeros_like(x))
}
