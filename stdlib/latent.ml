// Latent variables by maximum likelihood, in closed form or by EM, and what is made of them: features of rows that were seen without
// labels, for a regression on few rows that have one.

use std.linalg.lstsq

/// Probabilistic principal components (Tipping and Bishop 1999, equations 7 and 8): the maximum likelihood of x = loadings z + mean +
/// noise of one variance, with z standard normal in `r` dimensions. {mean, loadings [d, r], variance}
fn ppca(x: real[n, d], r) {
  let centre = mean(x, axis: 0)
  let (values, vectors) = eigh(covariance(x))
  let variance = mean(values[..d - r])
  let kept = sqrt(max(values[d - r..] - variance, 0.0))
  {mean: centre, loadings: (for row in vectors[.., d - r..] { row * kept }), variance}
}

/// The covariance of rows, divided by their number.
fn covariance(x: real[n, d]) {
  let c = for row in x { row - mean(x, axis: 0) }
  transpose(c) @ c / real(n)
}

/// The matrix [d, r] that makes of x - mean the posterior mean of z under a model of `ppca`: loadings (loadings' loadings + variance I)^-1.
fn ppca_projection(m) {
  let gram = transpose(m.loadings) @ m.loadings
  let r = len(gram)
  transpose(solve(gram + m.variance * one_hot(iota(r), r), transpose(m.loadings)))
}

/// The posterior means of the latents of rows.
fn ppca_features(m, x: real[n, d]) = (for row in x { row - m.mean }) @ ppca_projection(m)

/// The log probabilities of the parts of a mixture of balls {weights, means [k, d], variance} given `x`, and log p(x), as a pair.
fn mixture_posterior(m, x: real[d]) {
  let joint = for (w, mu) in (m.weights, m.means) {
    log(w) - 0.5 * sqnorm(x - mu) / m.variance - 0.5 * d * log(2.0 * pi * m.variance)
  }
  (log_softmax(joint), logsumexp(joint))
}

/// A mixture of `k` normal distributions of one variance in all directions, by `steps` steps of EM (Dempster, Laird and Rubin 1977) from
/// rows drawn at random as first means; of `restarts` the one of largest likelihood.
fn mixture_em(x: real[n, d], k, steps = 40, restarts = 6) {
  let ends = for i in 0..restarts { _mixture_em(x, k, steps) }
  let likelihoods = for m in ends { mean(for row in x { mixture_posterior(m, row)[1] }) }
  ends[argmax(likelihoods)]
}

fn _mixture_em(x: real[n, d], k, steps) {
  let first = {weights: full(1.0 / k, k), means: x[top_k(rand(n), k)[1]], variance: mean(var(x, axis: 0))}
  scan (m = first) for i in 0..steps {
    let parts = for row in x { exp(mixture_posterior(m, row)[0]) }
    let counts = sum(parts, axis: 0) + 1e-9
    let means = for (p, c) in (transpose(parts), counts) { p @ x / c }
    let spread = sum(for (row, p) in (x, parts) { dot(p, for mu in means { sqnorm(row - mu) }) })
    next m = {weights: counts / sum(counts), means, variance: spread / real(n * d) + 1e-9}
  }
}

/// The weights [d] of the least sum of squares of features w - y.
fn least_squares(features: real[n, d], y: real[n]) = lstsq(features, y)

/// The weights of the least sum of squares of x w - y, with `penalty` times the sum of squares of w added.
fn ridge(x: real[n, d], y: real[n], penalty) -> real[d] = solve(transpose(x) @ x + penalty * one_hot(iota(d), d), y @ x)
