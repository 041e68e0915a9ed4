// Losses of many classes that read little of the outputs o: the output o_c of the right class, q = sum o^2 and s = sum o (de Brebisson
// and Vincent 2016, the spherical family). A loss is a function of a record {right, q, s, classes}, where `classes` is how many there
// are. With o = W h for W of `classes` rows, q and s come from W'W and the sum of W's rows, so that a step of gradient descent need not
// touch all of W.

/// What a loss reads, of outputs `o` and the right class `c`.
fn summary(o: T[n], c) = {right: o[c], q: sum(o * o), s: sum(o), classes: T(n)}

/// The Z-loss (de Brebisson and Vincent 2016): softplus(a (b - z)) / a, where z = (o_c - mean) / standard deviation of the
/// outputs. Scaling the outputs or adding a number to all changes nothing; a says how sharp, b how far out the right class should be.
fn z_loss(a, b) = |t| softplus(a * (b - z_of(t))) / a

/// The standardised output of the right class.
fn z_of(t) = (t.right - t.s / t.classes) / sqrt(t.q / t.classes - square(t.s / t.classes))

/// Minus the log of (1 + o_c + o_c^2 / 2) over the sum of that of all outputs: softmax by a Taylor expansion.
fn taylor_softmax(t) = log(t.classes + t.s + 0.5 * t.q) - log(1.0 + t.right + 0.5 * square(t.right))

/// Minus the log of (o_c^2 + eps) over the sum of that of all outputs.
fn spherical_softmax(eps) = |t| log(t.q + t.classes * eps) - log(square(t.right) + eps)

/// Half the squared distance of the outputs from one at the right class and zeros.
fn squared_error(t) = 0.5 * (t.q - 2.0 * t.right + 1.0)

/// Not of the family: minus the log of the softmax.
fn cross_entropy(o: T[n], c) = logsumexp(o) - o[c]

/// How many classes have a larger output than the right one. Below k means that it is among the first k.
fn rank_of(o: T[n], c) = count(o > o[c])

/// A last layer W = rows `v` u + `offset` in each row (Vincent, de Brebisson and Bouthillier 2015), with W'W, the sum of W's rows, and the
/// inverse of u.
fn factored(w: T[n, d]) = {
  v: w, u: T(one_hot(iota(d), d)), inverse: T(one_hot(iota(d), d)), offset: T(zeros(d)), gram: transpose(w) @ w, total: sum(w, axis: 0),
}

/// The matrix W.
fn unfactored(t) = for row in t.v @ t.u { row + t.offset }

/// What a loss reads of W h, without making it.
fn factored_summary(t, h: T[d], c) =
  {right: dot(t.v[c] @ t.u + t.offset, h), q: dot(h, t.gram @ h), s: dot(t.total, h), classes: T(len(t.v))}

/// A step of gradient descent on loss(W h) by W at the rate `rate`: the new factors but for `v`, of which only the row `c` changes, to
/// `row`; and the gradient by `h`. For derivatives k, e and g of the loss by q, s and right, W becomes
/// W - rate (2 k W h + e 1 + g 1_c) h', the first two of which u and the offset take, so the cost does not grow with the classes (Vincent,
/// de Brebisson and Bouthillier 2015; the inverse by Sherman and Morrison).
fn factored_step(t, loss, h: T[d], c, rate) {
  let read = factored_summary(t, h, c)
  let slopes = grad(loss(read), wrt: read)
  let row = t.v[c] @ t.u + t.offset
  let k = 2.0 * rate * slopes.q
  // W' = W a - 1 e' - 1_c g' with the symmetric a = 1 - k h h'.
  let e = rate * slopes.s * h
  let g = rate * slopes.right * h
  let by_a = |x| x - k * dot(x, h) * h
  let u = t.u - k * outer(t.u @ h, h)
  let inverse = t.inverse + k / (1.0 - k * dot(h, h)) * outer(h, h @ t.inverse)
  let total = by_a(t.total)
  let right = by_a(row)
  let side = outer(total, e) + outer(right, g) - outer(e, g)
  let squeezed = for x in transpose(for x in t.gram { by_a(x) }) { by_a(x) }
  let gram = squeezed + read.classes * outer(e, e) + outer(g, g) - side - transpose(side)
  {
    row: t.v[c] - g @ inverse, u, inverse, offset: by_a(t.offset) - e, gram, total: total - read.classes * e - g,
    by_h: 2.0 * slopes.q * t.gram @ h + slopes.s * t.total + slopes.right * row,
  }
}
