// Distilling a teacher p, of which scores are known, into a student x = g(z) of one step with the density q, by an f-divergence
// D_f(p, q) = E_q f(p / q) for a convex f with f(1) = 0 (Xu, Nie, Vahdat et al. 2025).

/// KL(q, p) as a function f of the ratio r = p / q. The more slowly the weight r^2 f''(r) grows, the more does the student seek modes; here
/// it is 1.
fn reverse_kl(r) = -log(r)
/// KL(p, q) as a function of r; its weight is r.
fn forward_kl(r) = r * log(r)
/// The Jensen-Shannon divergence, times 2, as a function of r; its weight is r / (r + 1).
fn jensen_shannon(r) = r * log(r) - (r + 1.0) * log(0.5 * (r + 1.0))
/// The squared Hellinger distance as a function of r; its weight is sqrt(r) / 4.
fn squared_hellinger(r) = 1.0 - sqrt(r)
/// 2 KL(m, p) for the mean m of p and q, as a function of r; its weight is 1 / (r + 1).
fn softened_reverse_kl(r) = (r + 1.0) * log(0.5 * (r + 1.0) / r)

/// How much a draw at the ratio `r` counts: r^2 f''(r). 1 for `reverse_kl`, r for `forward_kl`, r / (r + 1) for `jensen_shannon`,
/// sqrt(r) / 4 for `squared_hellinger`, 1 / (r + 1) for `softened_reverse_kl`.
fn draw_weight(f, r) = r^2 * grad(grad(f(r), wrt: r), wrt: r)

/// A number whose derivative by what made the draw `x` estimates that of D_f(p, q) (Xu et al. 2025). For g(r) = f(r) - r f'(r),
/// which is what D_f changes by with q, the derivative of g(p / q) by x is -r^2 f''(r) (score of p - score of q), so the derivative is
/// minus the mean of that times the derivative of x; `log_ratio` is log p(x) - log q(x), `p_score` and `q_score` are derivatives of those
/// by x, known or learned, all at `x`. Logarithms of ratios are kept within `limit`.
fn f_distill(f, x, p_score, q_score, log_ratio, limit = 20.0) =
  by_weight(x, p_score, q_score, draw_weight(f, exp(clip(log_ratio, -limit, limit))))

/// The same with a given weight, which may have been divided by its mean over a batch.
fn by_weight(x, p_score, q_score, weight) = -dot(stop(weight * (p_score - q_score)), x)

/// Weights over their mean, so that a batch counts as much whatever the divergence.
fn balanced(weights: real[n]) -> real[n] = stop(weights / mean(weights))
