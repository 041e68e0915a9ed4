// Supports of parameters and of distributions: `param s in positive = 1.0`. A support is a record of functions:
// `constrain` maps all reals into the set, `free` is its inverse, `holds` says whether a value lies inside,
// `log_jacobian(x)` is the logarithm of the determinant of `constrain` at x. Elements of a tensor are mapped one by
// one, where nothing else is said; `start()` is one element, where the reals are 0. What is mapped as a whole says
// how many axes it has: `axes: 1` a vector. What lies between two numbers says which, `low` and `high`: so it is
// known whether one support covers another.

/// log(y / (1 - y)), the inverse of `sigmoid`.
fn logit(y) = log(y) - log1p(-y)

/// The inverse of `softplus`.
fn softplus_inverse(y) = y + log(-expm1(-y))

// The logarithm of the slope of `sigmoid`.
fn _slope(x) = -abs(x) - 2.0 * softplus(-abs(x))

/// All reals.
let reals = {
  low: -inf,
  high: inf,
  start: || 0.0,
  constrain: |x| x,
  free: |y| y,
  holds: |y| y == y,
  log_jacobian: |x| 0.0 * sum(x),
}

/// Whole numbers from 0: what they are is known, but no reals are mapped onto them.
let natural = {holds: |y| y >= 0.0 and y == floor(y)}

/// Numbers above 0, by `softplus`.
let positive = {
  low: 0.0,
  high: inf,
  start: || softplus(0.0),
  constrain: |x| softplus(x),
  free: |y| softplus_inverse(y),
  holds: |y| y > 0.0,
  log_jacobian: |x| sum(log_sigmoid(x)),
}

/// Numbers between 0 and 1, by `sigmoid`.
let unit = {
  low: 0.0,
  high: 1.0,
  start: || 0.5,
  constrain: |x| sigmoid(x),
  free: |y| logit(y),
  holds: |y| y > 0.0 and y < 1.0,
  log_jacobian: |x| sum(_slope(x)),
}

/// Numbers between a and b; without bound where an end is left out.
fn interval(a = none, b = none) =
  if not provided(a) {
    if provided(b) { below(b) } else { reals }
  } else {
    if not provided(b) {
      above(a)
    } else {
      {
        low: a,
        high: b,
        start: || 0.5 * (a + b),
        constrain: |x| a + (b - a) * sigmoid(x),
        free: |y| logit((y - a) / (b - a)),
        holds: |y| y > a and y < b,
        log_jacobian: |x| sum(_slope(x) + log(b - a)),
      }
    }
  }

/// Numbers above a.
fn above(a) = {
  low: a,
  high: inf,
  start: || a + softplus(0.0),
  constrain: |x| a + softplus(x),
  free: |y| softplus_inverse(y - a),
  holds: |y| y > a,
  log_jacobian: |x| sum(log_sigmoid(x)),
}

/// Numbers below b.
fn below(b) = {
  low: -inf,
  high: b,
  start: || b - softplus(0.0),
  constrain: |x| b - softplus(-x),
  free: |y| -softplus_inverse(b - y),
  holds: |y| y < b,
  log_jacobian: |x| sum(log_sigmoid(-x)),
}

/// Ascending vectors: the first element is free, the steps are positive (the ordered vectors of the Stan reference
/// manual, 10.6, with `softplus` in place of `exp`).
fn ordered(k) = {
  axes: 1,
  start: || softplus(0.0) * real(iota(k)),
  constrain: |x| concat(x[0..1], x[0] + cumsum(softplus(x[1..k]))),
  free: |y| concat(y[0..1], softplus_inverse(y[1..k] - y[0..k - 1])),
  holds: |y| y[1..k] > y[0..k - 1],
  log_jacobian: |x| sum(log_sigmoid(x[1..k])),
}

/// Ascending vectors of numbers above 0.
fn positive_ordered(k) = {
  axes: 1,
  start: || softplus(0.0) * (1.0 + real(iota(k))),
  constrain: |x| cumsum(softplus(x)),
  free: |y| concat(softplus_inverse(y[0..1]), softplus_inverse(y[1..k] - y[0..k - 1])),
  holds: |y| y[0] > 0.0 and all(y[1..k] > y[0..k - 1]),
  log_jacobian: |x| sum(log_sigmoid(x)),
}

/// Vectors of k numbers above 0 with sum 1, kept as k - 1 reals: the softmax with the last logit 0. Volumes are those
/// of the first k - 1 numbers.
fn simplex(k) = {
  axes: 1,
  start: || ones(k) / real(k),
  constrain: |x| softmax(concat(x, zeros(1))),
  free: |y| log(y[0..k - 1]) - log(y[k - 1]),
  holds: |y| all(y > 0.0) and abs(sum(y) - 1.0) < 1e-5,
  log_jacobian: |x| sum(log_softmax(concat(x, zeros(1)))),
}

// Where the elements of a lower triangle stand in the row of them, row by row; elsewhere the place behind all. `d` is
// 0 or 1: with the diagonal.
fn _places(k, d) {
  let (i, j) = (iota(k, k, axis: 0), iota(k, k, axis: 1))
  let n = div(k * (k - 1), 2) + d * k
  select(j < i + d, div(i * (i - 1), 2) + d * i + j, n)
}

// The matrix with the elements of the row in its lower triangle.
fn _lower(x, k, d) = take(concat(x, zeros(1)), _places(k, d))

// The row of the lower triangle's elements.
fn _row(m, k, d) {
  let places = scan (l = []) for i in 0..k, j in 0..k, unroll: true {
    next l = if j < i + d { append(l, i * k + j) } else { l }
  }
  take(flatten(m), stack(places))
}

// Of the canonical partial correlations tanh(x): the logarithm of 1 - tanh(x)^2, and its sums before each in its row.
fn _partial(x, k) {
  let m = _lower(x, k, 0)
  let a = abs(m)
  let l = 2.0 * (log(2.0) - a - softplus(-2.0 * a))
  (m, l, cumsum(l, axis: 1) - l)
}

fn _correlation(x, k) {
  let (m, _, before) = _partial(x, k)
  (tanh(m) + one_hot(iota(k), k)) * exp(0.5 * before)
}

fn _correlation_free(y, k) {
  let s = tril(y, -1) * tril(y, -1)
  let rest = 1.0 - (cumsum(s, axis: 1) - s)
  _row(atanh(tril(y, -1) / sqrt(select(rest > 0.0, rest, 1.0))), k, 0)
}

fn _correlation_slope(x, k) {
  let (_, l, before) = _partial(x, k)
  sum(l) + 0.5 * sum(tril(before, -1))
}

/// Lower Cholesky factors of k x k correlation matrices, kept as k (k - 1) / 2 reals: canonical partial correlations
/// (Stan reference manual, 10.9). Volumes are those of the elements below the diagonal.
fn correlation_cholesky(k) = {
  axes: 2,
  start: || one_hot(iota(k), k),
  constrain: |x| _correlation(x, k),
  free: |y| _correlation_free(y, k),
  holds: |y| all(triu(y, 1) == 0.0) and all(abs(sum(y * y, axis: 1) - 1.0) < 1e-5),
  log_jacobian: |x| _correlation_slope(x, k),
}

fn _covariance(x, k) {
  let m = _lower(x, k, 1)
  let eye = one_hot(iota(k), k)
  m * (1.0 - eye) + softplus(m) * eye
}

fn _covariance_free(y, k) {
  let eye = one_hot(iota(k), k) == 1.0
  _row(select(eye, softplus_inverse(select(eye, y, 1.0)), y), k, 1)
}

/// Lower Cholesky factors of k x k covariance matrices, kept as k (k + 1) / 2 reals; the diagonal is positive by
/// `softplus`.
fn covariance_cholesky(k) = {
  axes: 2,
  start: || softplus(0.0) * one_hot(iota(k), k),
  constrain: |x| _covariance(x, k),
  free: |y| _covariance_free(y, k),
  holds: |y| all(triu(y, 1) == 0.0) and all(sum(y * one_hot(iota(k), k), axis: 1) > 0.0),
  log_jacobian: |x| sum(log_sigmoid(_lower(x, k, 1)) * one_hot(iota(k), k)),
}

/// Positive definite k x k matrices, by their Cholesky factors. Volumes are those of the elements of the lower triangle
/// (Stan reference manual, 10.10).
fn covariance(k) = {
  axes: 2,
  start: || square(softplus(0.0)) * one_hot(iota(k), k),
  constrain: |x| _covariance(x, k) @ _covariance(x, k).T,
  free: |y| _covariance_free(cholesky(y), k),
  holds: |y| all(sum(cholesky(y) * one_hot(iota(k), k), axis: 1) > 0.0),
  log_jacobian: |x| _covariance_slope(x, k),
}

fn _covariance_slope(x, k) {
  let eye = one_hot(iota(k), k)
  let l = _covariance(x, k)
  let powers = real(k) - real(iota(k))
  real(k) * log(2.0) + dot(powers, log(sum(l * eye, axis: 1))) + sum(log_sigmoid(_lower(x, k, 1)) * eye)
}
