// std.latent. Covered by examples/papers/pretrain_mle.ml: `ppca` and `ppca_projection` by the posterior of a factor model, and what a
// regression on features gains.
precision f64

use std.latent.{ppca, covariance, ppca_projection, ppca_features, mixture_posterior, mixture_em, least_squares, ridge}
use std.dist.normal

let x = for i in 0..300 { 3.0 * randn() * [1.0, 2.0, 0.0, -1.0] + 0.5 * randn([4]) + [1.0, 0.0, 0.0, 2.0] }

test "principal components" {
  let m = ppca(x, 1)
  assert all(shape(m.loadings) == [4, 1]) and close(m.mean, mean(x, axis: 0), 1e-12)
  // The model's covariance has the trace of that of the rows, and its largest eigenvalue.
  let model = m.loadings @ transpose(m.loadings) + m.variance * real(one_hot(iota(4), 4))
  assert close(sum(for i in 0..4 { (model -covariance(x))[i, i] }), 0.0, 1e-9)
  assert close(eigh(model)[0][3], eigh(covariance(x))[0][3], 1e-9)
  assert close(m.variance, 0.25, 0.06)
  // The posterior mean by the covariance of what is seen, which `model` is.
  assert close(transpose(ppca_projection(m)), transpose(solve(model, m.loadings)), 1e-10)
  let features = ppca_features(m, x)
  assert all(shape(features) == [300, 1]) and close(mean(features, axis: 0), [0.0], 1e-9)
  assert close(features[7], (x[7] - m.mean) @ ppca_projection(m), 1e-12)
}

test "the posterior of a mixture" {
  let m = {weights: [0.3, 0.7], means: [[0.0, 1.0], [2.0, -1.0]], variance: 0.25}
  let at = [0.5, 0.2]
  let (parts, total) = mixture_posterior(m, at)
  let joint = for (w, mu) in (m.weights, m.means) { log(w) + sum(for (a, b) in (at, mu) { normal(b, 0.5).logpdf(a) }) }
  assert close(total, logsumexp(joint), 1e-12) and close(parts, joint - total, 1e-12)
}

test "EM finds balls that lie apart" {
  let rows = for i in 0..400 { 0.3 * randn([2]) + select(mod(i, 4) == 0, 4.0, -4.0) }
  let m = mixture_em(rows, 2)
  let order = argsort(m.weights)
  assert close(m.weights[order], [0.25, 0.75], 1e-6)
  assert close(m.means[order], [[4.0, 4.0], [-4.0, -4.0]], 0.2) and close(m.variance, 0.09, 0.02)
  // More steps do not lower the likelihood.
  let likelihood = |m| mean(for row in rows { mixture_posterior(m, row)[1] })
  assert likelihood(mixture_em(rows, 2, steps: 3, restarts: 1)) <= likelihood(m) + 1e-9
}

test "regressions" {
  let (w, y) = ([1.0, -2.0, 0.5, 0.0], randn([300]))
  assert close(least_squares(x, x @ w), w, 1e-9)
  assert close(ridge(x, y, 1e-12), least_squares(x, y), 1e-9)
  let r = ridge(x, y, 3.0)
  assert close(grad(sum(square(x @ r - y)) + 3.0 * sqnorm(r), wrt: r), zeros(4), 1e-8)
}
