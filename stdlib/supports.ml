// Supports of parameters: `param s in positive = 1.0`. A support is a record of functions: `constrain` maps all reals into the set,
// `free` is its inverse, `holds` says whether a value lies inside. Elements of a tensor are mapped one by one, where nothing else is said.
// What lies between two numbers says which, `low` and `high`: so it is known whether one support covers another.

/// log(y / (1 - y)), the inverse of `sigmoid`.
fn logit(y) = log(y) - log1p(-y)

/// The inverse of `softplus`.
fn softplus_inverse(y) = y + log(-expm1(-y))

/// Numbers above 0, by `softplus`.
let positive = {low: 0.0, high: inf, constrain: |x| softplus(x), free: |y| softplus_inverse(y), holds: |y| y > 0.0}

/// Numbers between 0 and 1, by `sigmoid`.
let unit = {
  low: 0.0,
  high: 1.0,
  constrain: |x| sigmoid(x),
  free: |y| logit(y),
  holds: |y| y > 0.0 and y < 1.0,
}

/// Numbers between a and b.
fn interval(a, b) = {
  low: a,
  high: b,
  constrain: |x| a + (b - a) * sigmoid(x),
  free: |y| logit((y - a) / (b - a)),
  holds: |y| y > a and y < b,
}

/// Numbers above a.
fn above(a) = {
  low: a,
  high: inf,
  constrain: |x| a + softplus(x),
  free: |y| softplus_inverse(y - a),
  holds: |y| y > a,
}

/// Numbers below b.
fn below(b) = {
  low: -inf,
  high: b,
  constrain: |x| b - softplus(x),
  free: |y| softplus_inverse(b - y),
  holds: |y| y < b,
}

/// Ascending vectors: the first element is free, the steps are positive (the ordered vectors of the Stan reference manual, 10.6, with
/// `softplus` in place of `exp`).
fn ordered(k) = {
  constrain: |x| concat(x[0..1], x[0] + cumsum(softplus(x[1..k]))),
  free: |y| concat(y[0..1], softplus_inverse(y[1..k] - y[0..k - 1])),
  holds: |y| y[1..k] > y[0..k - 1],
}

/// Ascending vectors of numbers above 0.
fn positive_ordered(k) = {
  constrain: |x| cumsum(softplus(x)),
  free: |y| concat(softplus_inverse(y[0..1]), softplus_inverse(y[1..k] - y[0..k - 1])),
  holds: |y| y[0] > 0.0 and all(y[1..k] > y[0..k - 1]),
}

/// Vectors of k numbers above 0 with sum 1, kept as k - 1 reals: the softmax with the last logit 0.
fn simplex(k) = {
  constrain: |x| softmax(concat(x, zeros(1))),
  free: |y| log(y[0..k - 1]) - log(y[k - 1]),
  holds: |y| all(y > 0.0) and abs(sum(y) - 1.0) < 1e-5,
}
