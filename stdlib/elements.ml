// What members of a distribution of several elements are, made of those of one element. The compiler asks for these.

/// All tensors of the sizes `s` whose elements are among `points`, along a leading axis; the last element goes fastest.
fn combinations(points: real[m], s) {
  let n = size(zeros(s))
  let rows = scan (r = 1) for i in 0..n, unroll: true { next r = r * m }
  let digits = scan (d = [], place = rows) for i in 0..n, unroll: true {
    let p = div(place, m)
    next d = append(d, mod(div(iota(rows), p), m))
    next place = p
  }
  reshape(take(points, stack(digits.d, axis: 1)), concat_sizes(rows, s))
}

/// A list of sizes with one more before it.
fn concat_sizes(n, s) = scan (all = [n]) for i in 0..len(s), unroll: true { next all = append(all, s[i]) }

/// Weak derivatives by each element of a distribution, from tensors of them: in the points all other elements are
/// those of the draw `x`.
fn by_element(theta, c, plus, minus, x) {
  let n = size(x)
  let at = flatten(stop(x))
  let (t, w, p, m) = (each(theta, x), each(c, x), each(plus, x), each(minus, x))
  scan (l = []) for i in 0..n, unroll: true {
    next l = append(l, (t[i], w[i], replaced(at, i, p[i], x), replaced(at, i, m[i], x)))
  }
}

/// The elements in a row; a number for each element of `x`.
fn each(v, x) = flatten(v + zeros_like(x))

/// `at` in the shape of `x`, with another element `i`.
fn replaced(at, i, v, x) = reshape(select(iota(len(at)) == i, v, at), shape(x))
