// Finding a plane that separates two classes. Rows `a` are examples times their labels -1 or 1, so that `w` separates where every a @ w is
// above 0.

/// The direction that the mean logistic loss of `a` falls along at `w`: the mean of a_i sigmoid(-a_i w).
fn logistic_direction(a: real[n, d], w: real[d]) -> real[d] = sigmoid(-(a @ w)) @ a / real(n)

/// A step of gradient descent on the mean logistic loss.
fn logistic_step(a: real[n, d], w: real[d], rate) -> real[d] = w + rate * logistic_direction(a, w)

/// A step of gradient descent on the logistic loss whose rate is divided by the mean of sigmoid(-a w), so that it does not fade as
/// examples come to lie on their side (Tyurin 2024, the normalized form).
fn normalized_logistic_step(a: real[n, d], w: real[d], rate) -> real[d] =
  w + rate / mean(sigmoid(-(a @ w))) * logistic_direction(a, w)

/// A step of the batch perceptron: the mean of the rows on the wrong side is added, those on the plane count half (Tyurin 2024, the limit
/// of `logistic_step(.., rate) / rate` for large rates).
fn perceptron_step(a: real[n, d], v: real[d]) -> real[d] {
  let m = a @ v
  v + select(m < 0.0, 1.0, select(m > 0.0, 0.0, 0.5)) @ a / real(n)
}

/// Does `w` separate the rows?
fn separates(a: real[n, d], w: real[d]) = min(a @ w) > 0.0

/// `step(a, w)` from 0 until `w` separates the rows, at most `max` times: {w, steps}.
fn until_separated(step, a: real[n, d], max = 10000) {
  let r = scan (w = zeros(d), steps = 0) while not separates(a, w), max: max {
    next w = step(a, w)
    next steps = steps + 1
  }
  {w: r.w, steps: r.steps}
}

/// The first `n` iterates of `step(a, w)` from 0, without the 0.
fn iterates(step, a: real[m, d], n) {
  let (_, ws) = scan (w = zeros(d)) for i in 0..n {
    let after = step(a, w)
    next w = after
    yield after
  }
  ws
}
