// Distributions of vectors and matrices.

use std.linalg.{diagonal, eye, diag}
use std.random.{log_gamma_plain, log_gamma_implicit}

/// The normal distribution of a vector with mean `mu`, by one of: its `covariance`; the lower Cholesky factor of that,
/// `scale`; the inverse, `precision`; the `diagonal` of variances; `factor` besides the diagonal, for the covariance
/// factor @ factor.T + diag(diagonal), at the cost of its few columns.
dist multivariate_normal(
  mu: real[k],
  covariance: real[k, k] = none,
  scale: real[k, k] = none,
  precision: real[k, k] = none,
  diagonal: real[k] in positive = none,
  factor: real[k, r] = none
) on real {
  // (a with a @ a.T the covariance or, where `precision` is given, its inverse; half the logarithm of its determinant)
  root() =
    if provided(covariance) {
      cholesky(covariance)
    } else {
      if provided(scale) { scale } else { cholesky(precision) }
    }
  // The middle of the inverse by Woodbury: I + factor.T @ (factor / diagonal).
  inner() {
    let w = for (row, d) in (factor, diagonal) { row / sqrt(d) }
    (w, cholesky(eye(r) + w.T @ w))
  }
  // Half the logarithm of the determinant of the covariance.
  log_scale() =
    if provided(diagonal) {
      let own = 0.5 * sum(log(diagonal))
      if provided(factor) { own + sum(log(diagonal_of(self.inner()[1]))) } else { own }
    } else {
      let l = sum(log(diagonal_of(self.root())))
      if provided(precision) { -l } else { l }
    }
  // v.T @ inverse(covariance) @ v
  square_length(v: real[k]) =
    if provided(diagonal) {
      let s = v / sqrt(diagonal)
      if provided(factor) {
        let (w, l) = self.inner()
        sqnorm(s) - sqnorm(solve_triangular(l, s @ w))
      } else {
        sqnorm(s)
      }
    } else {
      if provided(precision) { sqnorm(v @ self.root()) } else { sqnorm(solve_triangular(self.root(), v)) }
    }
  // The covariance is a @ a.T.
  columns() =
    if provided(diagonal) {
      let d = diag(sqrt(diagonal))
      if provided(factor) { concat(d, factor, axis: 1) } else { d }
    } else {
      if provided(precision) { solve_triangular(self.root(), eye(k)).T } else { self.root() }
    }
  covariance_matrix() {
    let a = self.columns()
    a @ a.T
  }
  logpdf(x) = -0.5 * self.square_length(x - mu) - self.log_scale() - 0.5 * real(k) * log(2.0 * pi)
  noise() = if provided(factor) { randn([k + r]) } else { randn([k]) }
  transform(e) =
    if provided(diagonal) {
      if provided(factor) { mu + sqrt(diagonal) * e[0..k] + factor @ e[k..] } else { mu + sqrt(diagonal) * e }
    } else {
      if provided(precision) {
        mu + solve_triangular(self.root(), e, transpose: true)
      } else {
        mu + self.root() @ e
      }
    }
  mean() = mu
  variance() {
    let a = self.columns()
    sum(a * a, axis: 1)
  }
  entropy() = 0.5 * real(k) * (1.0 + log(2.0 * pi)) + self.log_scale()
  kl(q: multivariate_normal) {
    let spread_of = sum(for column in self.columns().T { q.square_length(column) })
    0.5 * (spread_of + q.square_length(mu - q.mu) - real(k)) + q.log_scale() - self.log_scale()
  }
}

/// The diagonal of a square matrix.
fn diagonal_of(a) = diagonal(a)

/// Student's distribution of a vector: `mu` plus a normal draw with the lower Cholesky factor `scale`, over the root
/// of a chi-squared draw by its `nu` degrees of freedom.
dist multivariate_t(nu in positive, mu: real[k], scale: real[k, k]) on real {
  logpdf(x) {
    let n = real(k)
    let z = sqnorm(solve_triangular(scale, x - mu))
    let top = lgamma(0.5 * (nu + n)) - lgamma(0.5 * nu) - 0.5 * n * log(nu * pi)
    top - sum(log(diagonal(scale))) - 0.5 * (nu + n) * log1p(z / nu)
  }
  noise() = (randn([k]), log_gamma_plain(0.5 * nu + 0.0))
  transform(e) {
    let (n, l) = e
    mu + scale @ n * exp(0.5 * (log(0.5 * nu) - log_gamma_implicit(0.5 * nu + 0.0, l)))
  }
  mean() = if nu > 1.0 { mu } else { full(nan, k) }
  variance() = if nu > 2.0 { sum(scale * scale, axis: 1) * (nu / (nu - 2.0)) } else { full(inf, k) }
  // Kotz and Nadarajah 2004, equation 1.32.
  entropy() {
    let (n, whole) = (real(k), 0.5 * (nu + real(k)))
    let top = lgamma(0.5 * nu) - lgamma(whole) + 0.5 * n * log(nu * pi)
    top + sum(log(diagonal(scale))) + whole * (digamma(whole) - digamma(0.5 * nu))
  }
}

/// Positive definite matrices: the sum of `nu` outer products of normal draws with covariance scale @ scale.T; `scale`
/// is a lower Cholesky factor, and `nu` above its rows less 1 need not be whole.
dist wishart(nu in positive, scale: real[k, k]) on covariance(k) {
  steps() = 0.5 * (nu - real(iota(k)))
  log_scale() = sum(log(diagonal(scale)))
  // The logarithm of the gamma function of several variables, and its derivative, at nu / 2.
  gammas() = 0.25 * real(k) * real(k - 1) * log(pi) + sum(lgamma(self.steps()))
  digammas() = sum(digamma(self.steps()))
  logpdf(x) {
    let n = real(k)
    let l = cholesky(x)
    let w = solve_triangular(scale, l)
    let normaliser = nu * self.log_scale() + 0.5 * nu * n * log(2.0) + self.gammas()
    (nu - n - 1.0) * sum(log(diagonal(l))) - 0.5 * sqnorm(w) - normaliser
  }
  noise() = (randn([k, k]), log_gamma_plain(self.steps()))
  // Bartlett 1933: below the diagonal normal draws, on it roots of chi-squared ones.
  transform(e) {
    let (n, l) = e
    let d = exp(0.5 * (log(2.0) + log_gamma_implicit(self.steps(), l)))
    let a = scale @ (tril(n, -1) + diag(d))
    a @ a.T
  }
  mean() = nu * (scale @ scale.T)
  variance() {
    let v = scale @ scale.T
    nu * (v * v + outer(diagonal(v), diagonal(v)))
  }
  // The mean logarithm of the determinant is digammas() + k log 2 + 2 log_scale() (Bishop 2006, equations B.79 to B.82).
  entropy() {
    let n = real(k)
    let rest = 0.5 * n * (n + 1.0) * log(2.0) + self.gammas() + 0.5 * nu * n
    (n + 1.0) * self.log_scale() + rest - 0.5 * (nu - n - 1.0) * self.digammas()
  }
  kl(q: wishart) {
    let spread_of = sqnorm(solve_triangular(q.scale, scale)) - real(k)
    let scales = q.nu * (q.log_scale() - self.log_scale())
    scales + 0.5 * nu * spread_of + q.gammas() - self.gammas() + 0.5 * (nu - q.nu) * self.digammas()
  }
}

/// Cholesky factors of k x k correlation matrices c, with density proportional to det(c)^(eta - 1) of the matrices
/// (Lewandowski, Kurowicka and Joe 2009, section 3.2: the onion method).
dist lkj_cholesky(k, eta in positive) on correlation_cholesky(k) {
  order() = real(k) - real(iota(2..k + 1)) + 2.0 * eta - 2.0
  // The logarithm of what the density is divided by.
  total() {
    let n = real(k - 1)
    let alpha = eta + 0.5 * n
    let i = real(iota(k - 1))
    let gammas = 0.25 * n * (n - 1.0) * log(pi) + sum(lgamma(alpha - 0.5 - 0.5 * i))
    0.5 * n * log(pi) + gammas - n * lgamma(alpha)
  }
  logpdf(l) = sum(self.order() * log(diagonal(l)[1..])) - self.total()
  // Row i: its squared length below the diagonal is a beta draw, its direction even.
  shapes() = (0.5 * real(iota(1..k)), eta + 0.5 * real(k - 1) - 0.5 * real(iota(1..k)))
  noise() {
    let (a, b) = self.shapes()
    (log_gamma_plain(a), log_gamma_plain(b), randn([k - 1, k]))
  }
  transform(e) {
    let (a, b) = self.shapes()
    let (la, lb, n) = e
    let d = log_gamma_implicit(a, la) - log_gamma_implicit(b, lb)
    let (below, on) = (sqrt(sigmoid(d)), sqrt(sigmoid(-d)))
    let t = tril(n)
    let rows = for (r, y, o, i) in (t, below, on, iota(1..k)) { y / norm(r) * r + o * one_hot(i, k) }
    concat(one_hot(iota(1), k), rows)
  }
  // Of the logarithms of the diagonal, whose squares are beta draws.
  mean_logs() {
    let (a, b) = self.shapes()
    0.5 * (digamma(b) - digamma(a + b))
  }
  entropy() = self.total() - dot(self.order(), self.mean_logs())
  kl(q: lkj_cholesky) = dot(self.order() - q.order(), self.mean_logs()) + q.total() - self.total()
}
