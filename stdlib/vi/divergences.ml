// Divergences between two models of the same sites. Where `p` is conditioned, its density is that of the posterior times the
// evidence.

use std.estimators.reparam

/// KL(p, q) = E_p[log p - log q], from draws of `p`.
fn forward_kl(p, q) = expect {
  let (t, lp) = sample(p)
  lp - logdensity(q, t)
}

/// KL(p, q) + KL(q, p) (Jeffreys 1946).
fn jeffreys(p, q) = forward_kl(p, q) + forward_kl(q, p)

/// E_q[f(p / q)], where the convex `f` is one of `generators` or another function of the logarithm r of the ratio (Csiszar 1967).
/// Where p is conditioned, it is at least f(log evidence), and that at the posterior by Jensen's inequality (Wan, Li and
/// Hovakimyan 2020).
fn f_divergence(p, q, f) = expect {
  let (t, lq) = sample(q)
  f(logdensity(p, t) - lq)
}

/// The generators of divergences D(p, q) = E_q[f(u)], u = p / q, as functions of r = log u, all 0 at r = 0 (Liese and Vajda 2006).
let generators = {
  // u log u; -log u; (u - 1) log u.
  kl: |r| exp(r) * r,
  reverse_kl: |r| -r,
  jeffreys: |r| expm1(r) * r,
  // (u - 1)^2; (u - 1)^2 / u.
  pearson: |r| square(expm1(r)),
  neyman: |r| expm1(r) * -expm1(-r),
  // (sqrt(u) - 1)^2 / 2.
  hellinger: |r| 0.5 * square(expm1(0.5 * r)),
  // |u - 1| / 2.
  total_variation: |r| 0.5 * abs(expm1(r)),
  // (u log u - (1 + u) log((1 + u) / 2)) / 2.
  jensen_shannon: |r| 0.5 * (exp(r) * (r - _log_middle(r)) - _log_middle(r)),
}

/// log((1 + exp(r)) / 2)
fn _log_middle(r) = softplus(r) - log(2.0)

/// The generator of the alpha divergence, (u^alpha - 1 - alpha (u - 1)) / (alpha (alpha - 1)), for alpha other than 0 and 1, where it
/// would be `reverse_kl` and `kl` (Amari 1985; Minka 2005).
fn alpha_generator(alpha) = |r| (expm1(alpha * r) - alpha * expm1(r)) / (alpha * (alpha - 1.0))

/// The gradient of a divergence whose f goes with the tail of the weights, by `n` traces: weights p / q count by the share of traces
/// with none less, to the power `beta` (Wang, Liu and Liu 2018, algorithm 1). To be maximised. Biased; all sites of the
/// guide are reparameterised.
fn tail_adaptive(p, q, n, beta = -1.0) {
  needs_exact(q, hint: "the score of an estimated density has another mean than zero; use `elbo(p, q)` or `chi(p, q)`")
  fn ratio() = expect {
    let (t, lq) = sample(q, strategy: reparam)
    logdensity(p, t) - lq + tangent(logdensity(q, stop(t)))
  }
  let r = plug_in(for i in 0..n { ratio() })
  let tail = for a in stop(r) { mean(real(stop(r) >= a))^beta }
  dot(tail / sum(tail), r)
}

/// The Fisher divergence E_q |grad log p - grad log q|^2, the gradients by the trace: the evidence does not matter (Hyvarinen 2005;
/// as an objective for guides, Huggins et al. 2018). For continuous sites.
fn fisher(p, q) {
  let instead = "the slope of an estimated log density is biased; use `elbo(p, q)`, which takes estimates"
  needs_exact(p, hint: instead)
  needs_exact(q, hint: instead)
  expect {
    let (t, _) = sample(q)
    sqnorm(grad(logdensity(p, t) - logdensity(q, t), wrt: t))
  }
}

/// The score-matching loss of a trace `t` of data, |grad log p|^2 / 2 + laplacian of log p: its mean is half the Fisher divergence from
/// the data's distribution, up to a constant (Hyvarinen 2005, theorem 1). The density of `p` need not be normalised.
fn score_matching(p, t) {
  needs_exact(p, hint: "the slope of an estimated log density is biased; maximise `logdensity(p, t)` itself, a lower bound")
  0.5 * sqnorm(grad(logdensity(p, t), wrt: t)) + laplacian(logdensity(p, t), wrt: t)
}

/// The squared maximum mean discrepancy E k(x, x') + E k(y, y') - 2 E k(x, y), x from `p` and y from `q`, without bias (Gretton et al.
/// 2012, lemma 6). `kernel` takes two traces.
fn mmd(p, q, kernel) = expect {
  let ((x, _), (a, _)) = (sample(p), sample(p))
  let ((y, _), (b, _)) = (sample(q), sample(q))
  kernel(x, a) + kernel(y, b) - kernel(x, b) - kernel(a, y)
}

/// exp(-|a - b|^2 / (2 width^2)), for `mmd`.
fn gaussian_kernel(width) = |a, b| exp(-0.5 * sqnorm(a - b) / (width * width))
