// Eigenvalues of matrices that are known by their products with vectors, such as Hessians (`|v| hvp(loss, wrt: w, along: v)`), and what
// noise of a batch does to them.

/// `k` steps of Lanczos (1950) from `start`, each direction made orthogonal to all before twice: eigenvalues of the map between those
/// directions, ascending, and weights, the squares of what `start` has along their vectors (the quadrature of Golub and Welsch 1969).
/// The extreme ones are soon those of the symmetric map `matvec`. {values, weights}
fn lanczos(matvec, start: real[n], k) {
  let r = scan (basis = zeros(k, n), v = start / norm(start), alphas = zeros(k), betas = zeros(k)) for i in 0..k {
    let grown = put(basis, i, v)
    let w = matvec(v)
    let once = w - (grown @ w) @ grown
    let left = once - (grown @ once) @ grown
    // Where there is no new direction, what follows repeats a value that is there, with a weight of 0.
    let alpha = if norm(v) > 0.0 { dot(v, w) } else { alphas[0] }
    let goes_on = norm(left) > 1e-5 * max(abs(put(alphas, i, alpha)))
    next basis = grown
    next alphas = put(alphas, i, alpha)
    next betas = put(betas, i, if goes_on { norm(left) } else { 0.0 })
    next v = if goes_on { left / norm(left) } else { zeros(n) }
  }
  let above = for (row, b) in (one_hot(iota(k), k), put(r.betas, k - 1, 0.0)) { b * roll(row, 1) }
  let (values, vectors) = eigh((for (row, a) in (one_hot(iota(k), k), r.alphas) { a * row }) + above + transpose(above))
  {values, weights: square(vectors[0])}
}

/// The largest eigenvalue of a symmetric map, by `k` steps of `lanczos` from a random direction.
fn largest_eigenvalue(matvec, like: real[n], k = 20) = lanczos(matvec, randn([n]), k).values[-1]

/// How the density of eigenvalues of a map of `n` dimensions weighs a function: the mean of f over eigenvalues, by `lanczos` from `probes`
/// random directions (stochastic quadrature, Ubaru, Chen and Saad 2017).
fn spectral_mean(matvec, f, n, k = 20, probes = 10) = mean(for i in 0..probes {
  let l = lanczos(matvec, randn([n]), k)
  dot(l.weights, f(l.values))
})

/// Where symmetric noise of variance `variance` for each element, in `n` dimensions, puts an eigenvalue: value + n variance / value, if it
/// is above sqrt(n variance), and else the edge of the noise, 2 sqrt(n variance) (Baik, Ben Arous and Péché 2005; Granziol, Zohren and
/// Roberts 2022, where the variance is that of one example over the size of a batch).
fn shifted_eigenvalue(value, n, variance) {
  let scale = sqrt(n * variance)
  select(value > scale, value + square(scale) / max(value, scale), 2.0 * scale)
}

/// The largest rate at which gradient descent on least squares of standard normal inputs in `d` dimensions, with a new batch of `batch`
/// each step, does not grow in mean square: 2 batch / (batch + d + 1).
fn stable_rate(batch, d) = 2.0 * batch / (batch + d + 1.0)
