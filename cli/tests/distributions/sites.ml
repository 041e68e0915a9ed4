// Sites of an `expect` with the distributions of the library: gradients along paths, by enumeration, by weak derivatives and by
// scores, against exact ones. Bounds of 5.5 standard errors.

precision f64

use checks.{far, probe, places, points}
use std.dist.{normal, gamma, inverse_gamma, beta, student_t, von_mises, mixture, dirichlet, multivariate_normal}
use std.dist.{bernoulli, categorical, one_hot_categorical, poisson, geometric, exponential, binomial, zero_inflated}
use std.dist.{truncated_normal, laplace, wishart, lkj_cholesky, ordered_logistic, discrete_uniform}

fn slopes(make, at, f, strategy) = for i in 0..2000 { grad(expect { x ~ make(at) via strategy; f(x) }, wrt: at) }

fn exact(make, at, f, grid) {
  let (x, w) = grid
  // Where the density is 0 in this precision it has no part in a derivative.
  let p = for (v, u) in (x, w) { if stop(make(at).logpdf(v)) > -700.0 { u * exp(make(at).logpdf(v)) * f(v) } else { 0.0 } }
  grad(sum(p), wrt: at)
}

fn real_site(make, at, strategy) =
  far(slopes(make, at, probe, strategy), exact(make, at, probe, places(make(stop(at)).on))) < 1.0

fn whole_site(make, at, strategy, n = 60) =
  far(slopes(make, at, probe, strategy), exact(make, at, probe, points(0.0, n))) < 1.0

test "along the path" {
  assert real_site(|t| gamma(t[0], t[1]), [2.5, 1.3], reparam)
  assert real_site(|t| inverse_gamma(t[0], t[1]), [3.5, 1.3], reparam)
  assert real_site(|t| beta(t[0], t[1]), [2.5, 1.3], reparam)
  assert real_site(|t| student_t(t[0], t[1], t[2]), [5.5, 0.3, 1.3], reparam)
  assert real_site(|t| laplace(t[0], t[1]), [0.0, 1.3], reparam)
  assert real_site(|t| truncated_normal(t[0], t[1], low: 0.0), [0.3, 1.3], reparam)
  assert real_site(|t| mixture(for i in 0..2 { normal(t[i], 0.8) }, logits: [0.0, t[2]]), [-0.5, 1.0, 0.4], reparam)
}

// Densities of draws: nothing in them stands against a path, and the bound of a guide that is the model is 0.
fn bound(model, guide, at) = slopes(guide, at, |x| model .logpdf(x) - guide(at).logpdf(x), reparam)

test "bounds along the path" {
  assert far(bound(gamma(2.0, 1.0), |t| gamma(t[0], t[1]), [2.0, 1.0]), [0.0, 0.0]) < 1.0
  assert far(bound(beta(2.0, 3.0), |t| beta(t[0], t[1]), [2.0, 3.0]), [0.0, 0.0]) < 1.0
  assert far(bound(laplace(0.0, 1.0), |t| laplace(t[0], t[1]), [0.0, 1.0]), [0.0, 0.0]) < 1.0
  assert far(bound(student_t(5.0), |t| student_t(t[0]), [5.0]), [0.0]) < 1.0
  assert far(bound(von_mises(0.0, 2.0), |t| von_mises(t[0], t[1]), [0.0, 2.0]), [0.0, 0.0]) < 1.0
  assert far(bound(dirichlet([1.0, 2.0, 3.0]), |t| dirichlet(t), [1.0, 2.0, 3.0]), zeros(3)) < 1.0
  let slopes_of_kl = bound(gamma(2.0, 1.0), |t| gamma(t[0], t[1]), [3.0, 1.5])
  let at = [3.0, 1.5]
  assert far(slopes_of_kl, -grad(gamma(at[0], at[1]).kl(gamma(2.0, 1.0)), wrt: at)) < 1.0
}

test "by scores" {
  assert real_site(|t| gamma(t[0], t[1]), [2.5, 1.3], reinforce)
  assert real_site(|t| mixture(for i in 0..2 { normal(t[i], 0.8) }, logits: [0.0, t[2]]), [-0.5, 1.0, 0.4], reinforce)
  assert whole_site(|t| poisson(t[0]), [3.0], reinforce)
  assert whole_site(|t| zero_inflated(t[0], poisson(t[1])), [0.3, 3.0], reinforce)
}

test "by weak derivatives" {
  assert real_site(|t| normal(t[0], t[1]), [0.3, 1.3], mvd)
  assert real_site(|t| gamma(t[0], t[1]), [2.5, 1.3], mvd)
  assert real_site(|t| exponential(t[0]), [1.3], mvd)
  assert whole_site(|t| poisson(t[0]), [3.0], mvd)
  assert whole_site(|t| geometric(t[0]), [0.4], mvd)
  assert whole_site(|t| bernoulli(logits: t[0]), [0.4], mvd, n: 2)
  assert whole_site(|t| categorical(logits: t), [0.4, 0.0, -1.0], mvd)
  assert whole_site(|t| ordered_logistic(t[0], [-0.5, 1.0]), [0.4], mvd)
}

test "by enumeration" {
  assert whole_site(|t| bernoulli(t[0]), [0.4], enumerate, n: 2)
  assert whole_site(|t| categorical(logits: t), [0.4, 0.0, -1.0], enumerate)
  assert whole_site(|t| binomial(5, t[0]), [0.4], enumerate)
  assert whole_site(|t| zero_inflated(t[0], binomial(3, t[1])), [0.3, 0.6], enumerate)
  assert whole_site(|t| ordered_logistic(t[0], [-0.5, 1.0]), [0.4], enumerate)
}

// Of several elements: the mean of a product of independent ones is the product of their means.
fn product(x) = x[0] * x[0] * (x[1] + 2.0)

test "several elements" {
  // E x0^2 (x1 + 2) = (m0^2 + s0^2) (m1 + 2)
  let at = [0.3, -0.4, 0.5, 0.8]
  let truth = grad((at[0]^2 + at[2]^2) * (at[1] + 2.0), wrt: at)
  assert far(slopes(|t| normal(t[0..2], t[2..4]), at, product, reparam), truth) < 1.0
  assert far(slopes(|t| normal(t[0..2], t[2..4]), at, product, mvd), truth) < 1.0
  let p = [0.3, 0.6]
  let coins = grad(p[0] * (p[1] + 2.0), wrt: p)
  assert far(slopes(|t| bernoulli(t), p, product, mvd), coins) < 1.0
  assert far(slopes(|t| bernoulli(t), p, product, enumerate), coins) < 1.0
  // One standard deviation for all elements.
  let shared = [0.3, -0.4, 0.5]
  let one = grad((shared[0]^2 + shared[2]^2) * (shared[1] + 2.0), wrt: shared)
  assert far(slopes(|t| normal(t[0..2], t[2]), shared, product, mvd), one) < 1.0
}

test "vectors and matrices" {
  let at = [1.5, 0.7, 2.0]
  assert far(slopes(|t| dirichlet(t), at, |x| x[0], reparam), grad(at[0] / sum(at), wrt: at)) < 1.0
  let low = [1.2, 0.4, 0.8]
  // E x0 x1 of a normal is the covariance, of a Wishart matrix its mean.
  fn root(t) = stack([stack([t[0], 0.0]), stack([t[1], t[2]])])
  let normals = slopes(|t| multivariate_normal(zeros(2), scale: root(t)), low, |x| x[0] * x[1], reparam)
  assert far(normals, grad(low[0] * low[1], wrt: low)) < 1.0
  let matrices = slopes(|t| wishart(4.5, root(t)), low, |x| x[0, 1], reparam)
  assert far(matrices, grad(4.5 * low[0] * low[1], wrt: low)) < 1.0
  // The variance of a correlation is 1 / (2 eta + k - 1).
  let eta = [1.5]
  let correlations = slopes(|t| lkj_cholesky(3, t[0]), eta, |l| square(l[1, 0]), reparam)
  assert far(correlations, grad(1.0 / (2.0 * eta[0] + 2.0), wrt: eta)) < 1.0
  let logits = [0.4, 0.0, -1.0]
  let chosen = slopes(|t| one_hot_categorical(logits: t), logits, |x| dot(x, [1.0, 4.0, 9.0]), rebar)
  assert far(chosen, grad(dot(softmax(logits), [1.0, 4.0, 9.0]), wrt: logits)) < 1.0
}
