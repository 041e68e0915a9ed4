// Linear algebra on top of the factorisations and solves that are built in: `cholesky`, `solve_triangular`, `solve`, `slogdet`,
// `eigh`, `svd`, `qr`. Those say in `docs/language.md` how signs are chosen and what a matrix without an answer gives.

/// The identity matrix `[n, n]`.
fn eye(n) = one_hot(iota(n), n)

/// The matrix with `v` on its diagonal and zeros elsewhere.
fn diag(v: real[n]) = for (x, row) in (v, eye(n)) { x * row }

/// The diagonal of a matrix as a vector.
fn diagonal(a: real[m, n]) = for i in 0..min(m, n) { a[i, i] }

/// The sum of the diagonal.
fn trace(a: real[n, n]) = sum(diagonal(a))

/// (a + aᵀ) / 2
fn symmetrise(a: real[n, n]) = 0.5 * (a + transpose(a))

/// The Kronecker product `[m * p, n * q]`: blocks of `b`, times the elements of `a`.
fn kron(a: real[m, n], b: real[p, q]) = reshape(
  for row in a { for other in b { for x in row { x * other } } },
  m * p,
  n * q,
)

/// The square root of the sum of squares of all elements.
fn frobenius(a: real[m, n]) = norm(a)

/// The largest singular value.
fn spectral_norm(a: real[m, n]) {
  let (_, s, _) = svd(a)
  s[0]
}

/// The sum of the singular values.
fn nuclear_norm(a: real[m, n]) {
  let (_, s, _) = svd(a)
  sum(s)
}

/// The inverse of a square matrix. To solve a system, `solve(a, b)` is faster and more accurate.
fn inverse(a: real[n, n]) = solve(a, eye(n))

/// The determinant. It overflows where `slogdet` does not; its derivative needs a matrix that is not singular.
fn det(a: real[n, n]) {
  let (sign, size) = slogdet(a)
  sign * exp(size)
}

/// The logarithm of the determinant of a positive definite matrix, by its Cholesky factor.
fn logdet(a: real[n, n]) = 2.0 * sum(log(diagonal(cholesky(a))))

/// x with l lᵀ x = b: a solution from a Cholesky factor that is at hand. `b` is a vector or a matrix.
fn cho_solve(l: real[n, n], b) = solve_triangular(l, solve_triangular(l, b), transpose: true)

/// The x that makes the sum of squares of a x - b least, for a matrix with independent columns, by its QR factors. `b` is a
/// vector or a matrix. Where columns depend on one another the answer is not one: take `pinv(a) @ b`.
fn lstsq(a: real[m, n], b) {
  let (q, r) = qr(a)
  solve_triangular(r, transpose(q) @ b, lower: false)
}

/// The Moore-Penrose inverse. Singular values up to `cutoff` times the largest count as zero.
fn pinv(a: real[m, n], cutoff = 1e-6) {
  let (u, s, v) = svd(a)
  let kept = s > cutoff * max(s)
  let inverse = select(kept, 1.0 / select(kept, s, 1.0), 0.0)
  (for row in v { row * inverse }) @ transpose(u)
}

/// The matrix exponential, by scaling, the diagonal Padé approximant of degree 13 and squaring (Higham 2005, "The scaling and
/// squaring method for the matrix exponential revisited", algorithm 2.3). There are at most `squarings` of them, enough for
/// matrices of 1-norm up to 5.37 * 2^squarings; beyond that the result is not a number.
fn expm(a: real[n, n], squarings = 16) {
  // Where the approximant is as good as f64 (table 2.3).
  let theta = 5.371920351148152
  let size = stop(max(sum(abs(a), axis: 0)))
  let needed = max(ceil(log(size / theta) / log(2.0)), 0.0)
  let x = a * exp(-needed * log(2.0))
  let x2 = x @ x
  let x4 = x2 @ x2
  let x6 = x4 @ x2
  let one = eye(n)
  // The coefficients of equation 2.5 over that of x^0, b0 = 64764752532480000.
  let c = [
    1.0, 0.5, 0.12, 1.8333333333333333e-2, 1.9927536231884057e-3, 1.6304347826086958e-4, 1.0351966873706003e-5,
    5.175983436853002e-7, 2.0431513566525008e-8, 6.306022705717595e-10, 1.48377004840414e-11, 2.529153491597966e-13,
    2.8101705462199623e-15, 1.5440497506703088e-17,
  ]
  let odd = x @ (x6 @ (c[13] * x6 + c[11] * x4 + c[9] * x2) + c[7] * x6 + c[5] * x4 + c[3] * x2 + c[1] * one)
  let even = x6 @ (c[12] * x6 + c[10] * x4 + c[8] * x2) + c[6] * x6 + c[4] * x4 + c[2] * x2 + one
  let first = solve(even - odd, even + odd)
  let last = scan (y = first) for i in 0..squarings { next y = select(real(i) < needed, y @ y, y) }
  select(needed <= real(squarings), last, nan)
}

// a / b, and 0 where b is 0.
fn _ratio(a, b) = select(b == 0.0, 0.0, a / select(b == 0.0, 1.0, b))

/// An approximate x with A x = b for a positive definite A that is only known by `matvec(v)` = A v: `steps` steps of conjugate
/// gradients (Hestenes and Stiefel 1952) from 0. `precondition(r)` is an approximate solution of A z = r. Steps after the residual
/// is exactly 0 change nothing.
fn cg(matvec, b: real[n], steps = 20, precondition = |r| r) {
  let z0 = precondition(b)
  let (x, _, _, _) = scan (x = zeros_like(b), r = b, p = z0, rz = dot(b, z0)) for i in 0..steps {
    let ap = matvec(p)
    let step = _ratio(rz, dot(p, ap))
    next x = x + step * p
    let left = r - step * ap
    let z = precondition(left)
    let new = dot(left, z)
    next r = left
    next p = z + _ratio(new, rz) * p
    next rz = new
  }
  x
}

/// The eigenvalue of largest magnitude of a symmetric map `matvec` and its eigenvector, after `steps` steps from `start`, as
/// `(value, vector)`.
fn power_iteration(matvec, start: real[n], steps = 50) {
  let v = scan (v = start / norm(start)) for i in 0..steps {
    let w = matvec(v)
    next v = w / norm(w)
  }
  (dot(v, matvec(v)), v)
}
