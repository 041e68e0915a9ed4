// Maps of vectors for `std.dist.transformed`, with trained parts. Like supports, a map is a record of functions:
// `constrain` forward, `free` back, `log_jacobian(x)`, the logarithm of the determinant of `constrain` at x; what its
// values lie between, `low` and `high`, and `holds`.

/// Maps one after the other; a list of them.
fn chain(maps) = {
  low: maps[-1].low,
  high: maps[-1].high,
  holds: maps[-1].holds,
  constrain: |x| _forward(maps, x),
  free: |y| _back(maps, y),
  log_jacobian: |x| _slopes(maps, x),
}

fn _forward(maps, x) = scan (x = x) for m in maps, unroll: true { next x = m.constrain(x) }

fn _back(maps, y) {
  let n = len(maps)
  scan (y = y) for i in 0..n, unroll: true { next y = maps[n - 1 - i].free(y) }
}

fn _slopes(maps, x) {
  let r = scan (x = x, l = 0.0) for m in maps, unroll: true {
    next x = m.constrain(x)
    next l = l + m.log_jacobian(x)
  }
  r.l
}

/// The elements in the opposite order, between maps that treat the first ones otherwise than the last.
let reversal = {
  low: -inf,
  high: inf,
  holds: |y| y == y,
  constrain: |x| flip(x),
  free: |y| flip(y),
  log_jacobian: |x| 0.0 * sum(x),
}

/// The first `h` elements stay; of the others, `f` of the first gives the logarithms of scales and the shifts, one
/// behind the other (Dinh, Sohl-Dickstein and Bengio 2017, equations 7 and 8). Scales lie between exp(-2) and exp(2).
fn affine_coupling(f, h) = {
  low: -inf,
  high: inf,
  holds: |y| y == y,
  constrain: |x| _coupled(f, h, x),
  free: |y| _uncoupled(f, h, y),
  log_jacobian: |x| sum(_halves(f, x[0..h])[0]),
}

fn _halves(f, x) {
  let (s, t) = halves(f(x))
  (2.0 * tanh(0.5 * s), t)
}

fn _coupled(f, h, x) {
  let (s, t) = _halves(f, x[0..h])
  concat(x[0..h], x[h..] * exp(s) + t)
}

fn _uncoupled(f, h, y) {
  let (s, t) = _halves(f, y[0..h])
  concat(y[0..h], (y[h..] - t) * exp(-s))
}

/// Each element is scaled and shifted by what `f` makes of those before it: `f(x)` has the logarithms of d scales and
/// d shifts, one behind the other, the i-th of x[0..i] alone, as `made(d, ..)` does (Kingma et al. 2016, equation 10).
/// Back goes element by element: d evaluations of `f`.
fn autoregressive(f) = {
  low: -inf,
  high: inf,
  holds: |y| y == y,
  constrain: |x| _moved(f, x),
  free: |y| _unmoved(f, y),
  log_jacobian: |x| sum(_halves(f, x)[0]),
}

fn _moved(f, x) {
  let (s, t) = _halves(f, x)
  x * exp(s) + t
}

fn _unmoved(f, y) = scan (x = zeros_like(y)) for i in 0..len(y) {
  let (s, t) = _halves(f, x)
  next x = (y - t) * exp(-s)
}

/// A net from d numbers to 2 d, of which the i-th of each half depends on x[0..i] alone, by masks on the weights of
/// two layers (Germain et al. 2015, section 4).
net made(d, hidden, act = tanh)(x: real[d]) {
  param w = 0.1 * randn([d, hidden])
  param b = zeros(hidden)
  param v = 0.1 * randn([hidden, 2 * d])
  param c = zeros(2 * d)
  let degree = 1 + mod(iota(hidden), max(d - 1, 1))
  let inner = for i in iota(d) { real(degree >= i + 1) }
  let outer_mask = for g in degree { real(mod(iota(2 * d), d) >= g) }
  act(x @ (w * inner) + b) @ (v * outer_mask) + c
}

/// Each element by a monotone spline of k pieces, quotients of quadratics, between -bound and bound, the identity
/// outside (Durkan et al. 2019, section 3.1). `w` and `h` are logits of the pieces' widths and heights, `s` the slopes
/// at the inner knots before `softplus`; one row for each element.
fn spline(w: real[d, k], h: real[d, k], s: real[d, k - 1], bound = 3.0) = {
  low: -inf,
  high: inf,
  holds: |y| y == y,
  constrain: |x| _each(w, h, s, bound, x)[0],
  free: |y| _each_back(w, h, s, bound, y),
  log_jacobian: |x| sum(_each(w, h, s, bound, x)[1]),
}

fn _each(w, h, s, bound, x) = for (v, a, b, c) in (x, w, h, s) { _piece(a, b, c, bound, v) }

fn _each_back(w, h, s, bound, y) = for (v, a, b, c) in (y, w, h, s) { _piece_back(a, b, c, bound, v) }

// Knots from logits of sizes, none of which is below a thousandth of an even share.
fn _knots(w, bound) {
  let share = 1e-3 / real(len(w)) + (1.0 - 1e-3) * softmax(w)
  2.0 * bound * concat(zeros(1), cumsum(share)) - bound
}

// With a slope of 1 where a slope is 0 before `softplus`; the ends meet the identity.
fn _inner_slopes(s) = concat(ones(1), softplus(s + log(exp(1.0) - 1.0)), ones(1))

// Of the piece that `at` lies in among `knots`: its left ends, sizes and slopes.
fn _found(x, y, d, knots, at) {
  let n = len(x) - 1
  let i = min(max(count(knots <= at) - 1, 0), n - 1)
  let (x0, x1, y0, y1) = (take(x, i), take(x, i + 1), take(y, i), take(y, i + 1))
  (x0, x1 - x0, y0, y1 - y0, take(d, i), take(d, i + 1))
}

fn _piece(w, h, s, bound, v) {
  let (x, y, d) = (_knots(w, bound), _knots(h, bound), _inner_slopes(s))
  let inside = abs(v) < bound
  let (x0, dx, y0, dy, a, b) = _found(x, y, d, x, select(inside, v, 0.0))
  let t = (select(inside, v, x0) - x0) / dx
  let m = dy / dx
  let below = m + (a + b - 2.0 * m) * t * (1.0 - t)
  let value = y0 + dy * (m * t * t + a * t * (1.0 - t)) / below
  let slope = m * m * (b * t * t + 2.0 * m * t * (1.0 - t) + a * (1.0 - t) * (1.0 - t)) / (below * below)
  (select(inside, value, v), select(inside, log(slope), 0.0))
}

fn _piece_back(w, h, s, bound, v) {
  let (x, y, d) = (_knots(w, bound), _knots(h, bound), _inner_slopes(s))
  let inside = abs(v) < bound
  let (x0, dx, y0, dy, a, b) = _found(x, y, d, y, select(inside, v, 0.0))
  let m = dy / dx
  let g = select(inside, v, y0) - y0
  let p = dy * (m - a) + g * (a + b - 2.0 * m)
  let q = dy * a - g * (a + b - 2.0 * m)
  let t = 2.0 * m * g / (q + sqrt(q * q + 4.0 * p * m * g))
  select(inside, x0 + dx * t, v)
}
