// Attention, and where things stand in a series: `real[t, width]`, a row for each place.

/// Of each query a mean of the values, weighted by the softmax of its products with the keys over sqrt(k) (Vaswani et al. 2017,
/// equation 1). `mask` says which keys a query sees; what sees none gives 0.
fn attend(queries: real[n, k], keys: real[m, k], values: real[m, d], mask = none) {
  let scores = queries @ keys.T / sqrt(real(k))
  let weights = if provided(mask) {
    for (s, seen) in (scores, mask) {
      let some = any(seen)
      let shown = select(seen or not some, s, -inf)
      select(some, 1.0, 0.0) * softmax(shown)
    }
  } else {
    for s in scores { softmax(s) }
  }
  weights @ values
}

/// Which of `m` keys each of `n` queries sees: those not after it, where the last of both are in step.
fn causal(n, m = none) {
  let count = if provided(m) { m } else { n }
  iota(n, count, axis: 1) <= iota(n, count, axis: 0) + (count - n)
}

/// First weights of `heads` maps to `k` numbers each: normal with variance 1 / width.
fn _heads(heads, width, k) = randn([heads, width, k]) / sqrt(real(width))

/// Attention in `heads` heads of width / heads numbers (Vaswani et al. 2017, section 3.2.2): of each row to all rows, or to those of
/// `context`. `mask` says which of them it sees, as `causal(t)` does.
net attention(width, heads)(x: real[n, width], context = none, mask = none, train = false) {
  let k = div(width, heads)
  if heads * k != width { refuse("the width is no multiple of the number of heads") }
  param wq: real[heads, width, k] = _heads(heads, width, k)
  param wk: real[heads, width, k] = _heads(heads, width, k)
  param wv: real[heads, width, k] = _heads(heads, width, k)
  param wo: real[heads, k, width] = randn([heads, k, width]) / sqrt(real(width))
  let seen = if provided(context) { context } else { x }
  sum(
    for (q, l, v, o) in (wq, wk, wv, wo) { attend(x @ q, seen @ l, seen @ v, mask: mask) @ o },
    axis: 0,
  )
}

/// sin(t / 10000^(2i / width)) at the even and cos of the same at the odd numbers of row t (Vaswani et al. 2017, section 3.5).
fn sinusoids(n, width, base = 10000.0) {
  let rates = exp(-log(base) * 2.0 / width * real(iota(div(width + 1, 2))))
  for t in 0..n {
    let angles = real(t) * rates
    flatten(stack([sin(angles), cos(angles)], axis: 1))[0..width]
  }
}

/// Each pair (2i, 2i + 1) of row t turned by the angle t / base^(2i / width), so that products of rows depend on how far apart they
/// are (Su et al. 2021, equation 34). `from` is the place of the first row.
fn rotary(x: real[n, width], from = 0, base = 10000.0) {
  let rates = exp(-log(base) * 2.0 / width * real(iota(div(width, 2))))
  for (r, t) in (x, 0..n) {
    let angles = real(t + from) * rates
    let (a, b) = (r[0..: 2], r[1..: 2])
    flatten(stack([a * cos(angles) - b * sin(angles), a * sin(angles) + b * cos(angles)], axis: 1))
  }
}

/// A series of at most `n` rows plus a learned vector for each place.
net positions(n, width, sd = 0.02)(x: real[t, width], train = false) {
  param place: real[n, width] = sd * randn([n, width])
  x + place[0..t]
}
