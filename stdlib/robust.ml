// Low-rank matrices from linear measurements, some of which are grossly wrong. Measurements are <A_i, X> with square matrices `a`, X = u uᵀ
// is symmetric, and `u` may have more columns than X has rank.

/// The inner products <A_i, u uᵀ>.
fn measured(a: real[m, d, d], u: real[d, k]) = reshape(a, m, d * d) @ reshape(u @ u.T, d * d)

/// The mean absolute error of the measurements of u uᵀ.
fn absolute_loss(a: real[m, d, d], y: real[m], u: real[d, k]) = mean(abs(measured(a, u) - y))

/// A subgradient of `absolute_loss` by `u`: (D + Dᵀ) u with D the mean of sign(<A_i, u uᵀ> - y_i) A_i, where the sign of 0 is 0.
fn absolute_slope(a: real[m, d, d], y: real[m], u: real[d, k]) {
  let s = sign_mean(a, measured(a, u) - y)
  (s + s.T) @ u
}

/// The mean of sign(r_i) A_i. For matrices of standard normal numbers and r_i = <A_i, M> it is near sqrt(2 / pi) M / |M|, and errors of
/// some r_i that are independent of A_i only shorten it (Ma and Fattahi 2021, the sign-RIP).
fn sign_mean(a: real[m, d, d], r: real[m]) = reshape(sign(r) @ reshape(a, m, d * d), d, d) / real(m)

/// The subgradient method on `absolute_loss` from `u` with steps eta * rho^t (Ma and Fattahi 2021, algorithm 1): {u, watched}, where
/// `watched` has `watch(u)` after each step.
fn recovered(a: real[m, d, d], y: real[m], u: real[d, k], steps, eta = 0.25, rho = 0.99, watch = |u| 0.0) {
  let (end, watched) = scan (u = u, rate = eta) for t in 0..steps {
    let after = u - rate * absolute_slope(a, y, u)
    next u = after
    next rate = rho * rate
    yield watch(after)
  }
  {u: end.u, watched: watched}
}

/// |x - truth| / |truth| of matrices.
fn relative_error(x: real[n, m], truth: real[n, m]) = norm(x - truth) / norm(truth)
