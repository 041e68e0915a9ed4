// Distributions of vectors and series: against what they are made of, by other formulas, and by draws.

precision f64

use checks.{far, apart}
use std.dist.{multivariate_normal, multivariate_t, wishart, lkj_cholesky, dirichlet, multinomial, one_hot_categorical}
use std.dist.{gaussian_random_walk, hmm, linear_gaussian, gaussian_process, squared_exponential, matern32}
use std.dist.{normal, gamma, beta, poisson, student_t, relaxed_one_hot, transformed, mixture, delta, flat, bernoulli}
use std.flows.{affine_coupling, autoregressive, made, spline, chain, reversal}
use std.linalg.{diag, eye, logdet, inverse}
use std.supports.{correlation_cholesky, covariance_cholesky, covariance, simplex, ordered, positive_ordered}
use std.supports.{interval, above, below, positive, unit, reals}

let mu = [0.3, -0.5, 1.0]
let a = [[1.0, 0.0, 0.0], [0.4, 0.8, 0.0], [-0.2, 0.3, 1.1]]
let c = a @ a.T

/// The forms of one distribution agree.
fn same(p, q, x) {
  let numbers = max([abs(p.logpdf(x) - q.logpdf(x)), abs(p.entropy() - q.entropy()), abs(p.kl(q))])
  let tensors = max(apart(p.variance(), q.variance()), apart(p.covariance_matrix(), q.covariance_matrix()))
  let e = max(numbers, tensors)
  {holds: e < 1e-10, e}
}

/// Mean and covariance of draws; and the gradient of a mean along the path is that of the score.
fn drawn(d, mean, covariance) {
  let y = for i in 0..8000 { d.sample() }
  let m = far(y, mean)
  let s = far(for v in y { flatten(outer(v - mean, v - mean)) }, flatten(covariance))
  {holds: m < 1.0 and s < 1.0, m, s}
}

test "multivariate_normal, its forms" {
  let x = [0.1, 0.7, -0.4]
  let d = multivariate_normal(mu, scale: a)
  let z = solve_triangular(a, x - mu)
  assert close(d.logpdf(x), normal(zeros(3), 1.0).logpdf(z) - log(0.88), 1e-12)
  assert same(d, multivariate_normal(mu, covariance: c), x)
  assert same(d, multivariate_normal(mu, precision: inverse(c)), x)
  let w = [[0.5, 0.1], [-0.3, 0.2], [0.0, 0.9]]
  let v = [0.5, 1.0, 1.5]
  let low = multivariate_normal(mu, diagonal: v, factor: w)
  assert same(low, multivariate_normal(mu, covariance: diag(v) + w @ w.T), x)
  let flat_one = multivariate_normal(mu, diagonal: v)
  assert same(flat_one, multivariate_normal(mu, covariance: diag(v)), x)
  assert close(flat_one.logpdf(x), normal(mu, sqrt(v)).logpdf(x), 1e-12)
  assert close(low.kl(d), multivariate_normal(mu, covariance: diag(v) + w @ w.T).kl(d), 1e-12)
  // tr(c' \ v) + log determinants, by other routes.
  let by_hand = 0.5 * (sum(inverse(c) * diag(v)) - 3.0 + logdet(c) - sum(log(v)))
  assert close(flat_one.kl(d), by_hand, 1e-12)
}

test "multivariate_normal, draws" {
  let w = [[0.5, 0.1], [-0.3, 0.2], [0.0, 0.9]]
  let v = [0.5, 1.0, 1.5]
  assert drawn(multivariate_normal(mu, scale: a), mu, c)
  assert drawn(multivariate_normal(mu, covariance: c), mu, c)
  assert drawn(multivariate_normal(mu, precision: inverse(c)), mu, c)
  assert drawn(multivariate_normal(mu, diagonal: v, factor: w), mu, diag(v) + w @ w.T)
  assert drawn(multivariate_normal(mu, diagonal: v), mu, diag(v))
}

test "multivariate_t" {
  let d = multivariate_t(7.0, mu, a)
  assert close(multivariate_t(7.0, [0.3], [[2.0]]).logpdf([1.0]), student_t(7.0, 0.3, 2.0).logpdf(1.0), 1e-12)
  assert drawn(d, mu, 1.4 * c)
  assert close(d.variance(), [1.4 * c[0, 0], 1.4 * c[1, 1], 1.4 * c[2, 2]], 1e-12)
  assert is_finite(multivariate_t(1e6, mu, a).logpdf(mu))
}

test "wishart" {
  // In one dimension a gamma with shape nu / 2 and rate 1 / (2 v).
  assert close(wishart(5.0, [[1.5]]).logpdf([[2.0]]), gamma(2.5, 0.5 / 2.25).logpdf(2.0), 1e-12)
  let d = wishart(5.5, a)
  let y = for i in 0..8000 { d.sample() }
  assert far(y, d.mean()) < 1.0
  assert far(for v in y { square(v - d.mean()) }, d.variance()) < 1.0
  // E log det = sum of digamma((nu - i) / 2) + k log 2 + log det c.
  let truth = digamma(2.75) + digamma(2.25) + digamma(1.75) + 3.0 * log(2.0) + logdet(c)
  assert far(for v in y { [logdet(v)] }, [truth]) < 1.0
}

test "lkj_cholesky" {
  // For two the correlation r has density proportional to (1 - r^2)^(eta - 1): 2 beta - 1.
  let r = 0.3
  let l = [[1.0, 0.0], [r, sqrt(1.0 - r * r)]]
  let n = beta(1.5, 1.5).logpdf(0.65) - log(2.0)
  assert close(lkj_cholesky(2, 1.5).logpdf(l), n, 1e-12)
  // Each correlation of k has the beta law with both shapes eta + k / 2 - 1, whose variance is that of 2 beta - 1.
  let y = for i in 0..8000 {
    let t = lkj_cholesky(4, 1.5).sample()
    let m = t @ t.T
    [m[0, 1], m[2, 3], m[0, 1]^2, m[1, 3]^2, m[2, 3]^2, m[3, 3]]
  }
  let v = 4.0 * beta(2.5, 2.5).variance()
  assert far(y, [0.0, 0.0, v, v, v, 1.0]) < 1.0
  // From draws for eta = 1, the weights of those for another eta have the mean 1.
  let weights = for i in 0..8000 {
    let t = lkj_cholesky(4, 1.0).sample()
    [exp(lkj_cholesky(4, 1.7).logpdf(t) - lkj_cholesky(4, 1.0).logpdf(t))]
  }
  assert far(weights, [1.0]) < 1.0
}

/// The entropy, and the divergence from `q` if there is one, against means over draws.
fn in_mean(d, q = none) {
  let y = for i in 0..8000 { d.sample() }
  let h = far(for v in y { [-d.logpdf(v)] }, [d.entropy()])
  let k = if provided(q) {
    max(far(for v in y { [d.logpdf(v) - q.logpdf(v)] }, [d.kl(q)]), abs(d.kl(d)))
  } else {
    0.0
  }
  {holds: h < 1.0 and k < 1.0, h, k}
}

test "entropies and divergences of vectors and matrices" {
  assert close(multivariate_t(7.0, [0.3], [[2.0]]).entropy(), student_t(7.0, 0.3, 2.0).entropy(), 1e-12)
  assert in_mean(multivariate_t(5.0, mu, a))
  let (one, other) = (wishart(5.0, [[1.5]]), wishart(3.5, [[0.8]]))
  let (as_one, as_other) = (gamma(2.5, 0.5 / 2.25), gamma(1.75, 0.5 / 0.64))
  assert close(one.entropy(), as_one.entropy(), 1e-12)
  assert close(one.kl(other), as_one.kl(as_other), 1e-12)
  let b = [[1.2, 0.0, 0.0], [0.1, 0.7, 0.0], [0.3, -0.2, 0.9]]
  assert in_mean(wishart(5.5, a), q: wishart(4.5, b))
  assert close(lkj_cholesky(2, 1.5).entropy(), beta(1.5, 1.5).entropy() + log(2.0), 1e-12)
  assert close(lkj_cholesky(2, 1.5).kl(lkj_cholesky(2, 3.0)), beta(1.5, 1.5).kl(beta(3.0, 3.0)), 1e-12)
  assert in_mean(lkj_cholesky(4, 1.5), q: lkj_cholesky(4, 2.5))
}

test "dirichlet" {
  let alpha = [1.5, 0.7, 3.0]
  let d = dirichlet(alpha)
  assert close(dirichlet([1.5, 2.3]).logpdf([0.3, 0.7]), beta(1.5, 2.3).logpdf(0.3), 1e-12)
  assert close(dirichlet([1.5, 2.3]).entropy(), beta(1.5, 2.3).entropy(), 1e-12)
  assert close(dirichlet([1.5, 2.3]).kl(dirichlet([0.5, 1.3])), beta(1.5, 2.3).kl(beta(0.5, 1.3)), 1e-12)
  let y = for i in 0..8000 { d.sample() }
  assert far(y, d.mean()) < 1.0 and far(for v in y { square(v - d.mean()) }, d.variance()) < 1.0
  assert far(for v in y { [-d.logpdf(v)] }, [d.entropy()]) < 1.0
  // The mean's derivative along the path.
  let g = for i in 0..8000 { grad(dirichlet(alpha).transform(stop(d.noise()))[0], wrt: alpha) }
  assert far(g, grad(dirichlet(alpha).mean()[0], wrt: alpha)) < 1.0
}

test "multinomial and one_hot_categorical" {
  let p = [0.2, 0.5, 0.3]
  let d = multinomial(4, p)
  let all = for i in 0..5, j in 0..5 { exp(d.logpdf([real(i), real(j), 4.0 - real(i + j)])) }
  assert close(sum(all), 1.0, 1e-12)
  assert close(multinomial(4, logits: log(p)).logpdf([1.0, 1.0, 2.0]), log(12.0 * 0.2 * 0.5 * 0.09), 1e-12)
  let y = for i in 0..8000 { d.sample() }
  assert all_whole(y)
  assert far(y, d.mean()) < 1.0 and far(for v in y { square(v - d.mean()) }, d.variance()) < 1.0
  let o = one_hot_categorical(p)
  assert close(sum(for x in o.support() { exp(o.logpdf(x)) * x }, axis: 0), p, 1e-12)
  assert far(for i in 0..8000 { o.sample() }, p) < 1.0
  assert len(o.mvd()) == 2
}

fn all_whole(y) = all(y == floor(y)) and all(sum(y, axis: 1) == 4.0)

test "gaussian_random_walk" {
  let d = gaussian_random_walk(0.7, 3, drift: 0.2)
  let l = for i in 0..3 { for j in 0..3 { select(j <= i, 0.7, 0.0) } }
  let m = multivariate_normal([0.2, 0.4, 0.6], scale: l)
  assert close(d.logpdf(mu), m.logpdf(mu), 1e-12) and close(d.entropy(), m.entropy(), 1e-12)
  assert close(d.variance(), m.variance(), 1e-12) and close(d.mean(), m.mean(), 1e-12)
  assert drawn(d, m.mean(), l @ l.T)
}

test "hmm" {
  // Against the sum over all paths of the states.
  let initial = [0.6, 0.4]
  let move = [[0.7, 0.3], [0.2, 0.8]]
  let d = hmm(initial, move, for r in [1.0, 4.0] { poisson(r) }, 3)
  let x = [1.0, 3.0, 5.0]
  let paths = for i in list(0..2) {
    for j in list(0..2) {
      for k in list(0..2) {
        let seen = for (s, y) in ([i, j, k], x) { poisson(take([1.0, 4.0], s)).logpdf(y) }
        let e = sum(seen)
        log(initial[i]) + log(move[i, j]) + log(move[j, k]) + e
      }
    }
  }
  assert close(d.logpdf(x), logsumexp(paths), 1e-12)
  assert close(sum(d.filtered(x)), 1.0, 1e-12)
  assert far(for i in 0..4000 { d.sample() }, d.mean()) < 1.0
  // An impossible state.
  assert is_finite(hmm([1.0, 0.0], move, for r in [1.0, 4.0] { poisson(r) }, 3).logpdf(x))
}

test "linear_gaussian" {
  // Against the joint normal of all observations.
  let move = [[0.9, 0.1], [0.0, 0.8]]
  let q = [[0.3, 0.1], [0.1, 0.2]]
  let h = [[1.0, 0.5]]
  let d = linear_gaussian(move, q, h, [[0.4]], [0.2, -0.1], [[1.0, 0.0], [0.0, 0.5]], 2)
  let p0 = [[1.0, 0.0], [0.0, 0.5]]
  let p1 = move @ p0 @ move.T + q
  let cross = (h @ p0 @ move.T @ h.T)[0, 0]
  let joint = [[(h @ p0 @ h.T)[0, 0] + 0.4, cross], [cross, (h @ p1 @ h.T)[0, 0] + 0.4]]
  let m = multivariate_normal(flatten(d.mean()), covariance: joint)
  assert close(d.logpdf([[0.7], [-0.3]]), m.logpdf([0.7, -0.3]), 1e-12)
  let y = for i in 0..8000 { flatten(d.sample()) }
  assert far(y, m.mean()) < 1.0
  assert far(for v in y { flatten(outer(v - m.mean(), v - m.mean())) }, flatten(joint)) < 1.0
}

fn process_holds(kernel) {
  let x = [[0.0], [0.5], [2.0]]
  let d = gaussian_process(x, kernel, 0.3)
  let m = multivariate_normal(zeros(3), covariance: d.covariance_matrix())
  // Chain rule: the joint density is that of two values times that of the third given them.
  let two = gaussian_process([[0.0], [0.5]], kernel, 0.3)
  let (mean, variance) = two.predict(mu[0..2], [[2.0]])
  let chained = two.logpdf(mu[0..2]) + normal(mean[0], sqrt(variance[0])).logpdf(1.0)
  let l = d.logpdf(mu)
  let e = max([abs(l - m.logpdf(mu)), abs(l - chained), abs(d.entropy() - m.entropy())])
  let y = drawn(d, zeros(3), d.covariance_matrix())
  {holds: e < 1e-10 and y.holds, e, y}
}

test "gaussian_process" {
  assert process_holds(squared_exponential(1.2, 0.8))
  assert process_holds(matern32(1.2, 0.8))
}

test "relaxed_one_hot" {
  // Two categories are a relaxed coin.
  let d = relaxed_one_hot(0.7, p: [0.3, 0.7])
  assert close(d.logpdf([0.2, 0.8]), std_coin(0.2), 1e-12)
  assert close(sum(d.sample()), 1.0, 1e-12)
}

fn std_coin(x) {
  let y = log(x) - log1p(-x)
  let z = 0.7 * y - log(0.3 / 0.7)
  log(0.7) - z - 2.0 * softplus(-z) - log(x) - log1p(-x)
}

test "delta and flat" {
  let d = delta([1.0, 2.0])
  assert d.logpdf([1.0, 2.0]) == 0.0 and d.logpdf([1.0, 2.5]) == -inf
  assert close(d.support(), [[1.0, 2.0]], 0.0) and close(d.sample(), [1.0, 2.0], 0.0)
  assert flat(positive).logpdf(2.0) == 0.0 and flat(positive).logpdf(-2.0) == -inf and flat(real).logpdf(-2.0) == 0.0
  assert close(flat(simplex(3)).on.constrain(zeros(2)), ones(3) / 3.0, 1e-12)
}

/// How far a map is from its own derivative and its inverse; `part` are the elements of its value that are free.
fn map_error(m, x, part = |y| y + 0.0) {
  let y = m.constrain(x)
  let (_, size) = slogdet(jacobian(part(m.constrain(x)), wrt: x))
  max([abs(size - m.log_jacobian(x)), max(abs(m.free(y) - x))])
}

/// And of whether its values lie in it.
fn support_error(m, x, part = |y| y + 0.0) = map_error(m, x, part: part) + real(any(not (m.holds(m.constrain(x)))))

fn below_of(y) = stack([y[1, 0], y[2, 0], y[2, 1], y[3, 0], y[3, 1], y[3, 2]])

fn lower_of(y) = stack([y[0, 0], y[1, 0], y[1, 1], y[2, 0], y[2, 1], y[2, 2]])

test "supports" {
  let x = [0.3, -1.2, 0.8, 0.1, 2.0, -0.4]
  let all = [reals, positive, unit, interval(-1.0, 3.0), above(2.0), below(2.0), ordered(6), positive_ordered(6)]
  assert max(for m in all { support_error(m, x) }) < 1e-9
  assert support_error(simplex(7), x, part: |y| y[0..6]) < 1e-9
  assert support_error(correlation_cholesky(4), x, part: below_of) < 1e-9
  assert support_error(covariance_cholesky(3), x, part: lower_of) < 1e-9
  assert support_error(covariance(3), x, part: lower_of) < 1e-9
}

net halves_of = made(4, 12)

fn scales(u) = concat(sin(u), cos(3.0 * u))

test "flows" {
  let x = [0.3, -1.2, 0.8, 0.1]
  let w = for i in 0..4 { sin(real(i) + [1.0, 2.0, 3.0]) }
  let s = spline(w, cos(w), w[.., 0..2])
  assert map_error(affine_coupling(scales, 2), x) < 1e-9
  assert map_error(autoregressive(halves_of), x) < 1e-9
  assert map_error(s, x) < 1e-9
  assert map_error(s, [4.0, -3.5, 2.9, -2.9]) < 1e-9
  let m = chain([affine_coupling(scales, 2), reversal, s])
  assert map_error(m, x) < 1e-9
  let d = transformed(normal(zeros(4), 1.0), m)
  let y = d.sample()
  assert close(d.logpdf(y), normal(zeros(4), 1.0).logpdf(m.free(y)) - m.log_jacobian(m.free(y)), 1e-12)
  // The first of the base's elements is moved by no other: its law is the base's.
  let coupled = transformed(normal(zeros(4), 1.0), affine_coupling(scales, 2))
  assert far(for i in 0..4000 { [square(coupled.sample()[0])] }, [1.0]) < 1.0
}

test "a for over distributions is one" {
  let p = [0.2, 0.7]
  let d = for q in p { bernoulli(q) }
  assert close(d.logpdf([1.0, 0.0]), log(0.2 * 0.3), 1e-12)
  assert close(d.mean(), p, 0.0)
  assert close(d.entropy(), bernoulli(p).entropy(), 1e-12)
  let e = for q in p { bernoulli(0.5 * q) }
  assert close(d.kl(e), bernoulli(p).kl(bernoulli(0.5 * p)), 1e-12)
  // Mixtures, a row of components for each lane.
  let means = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
  let m = for row in means { mixture(for v in row { normal(v, 1.0) }, p: [0.5, 0.5]) }
  let one = mixture(for v in means[1] { normal(v, 1.0) }, p: [0.5, 0.5])
  let sum_of = for i in list(0..3) { mixture(for v in means[i] { normal(v, 1.0) }, p: [0.5, 0.5]).logpdf(mu[i]) }
  assert close(m.logpdf(mu), sum(sum_of), 1e-12)
  assert len(m.sample()) == 3 and is_finite(one.cdf(0.0))
}
