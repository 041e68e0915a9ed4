// Losses of pairs of answers, one chosen and one rejected, as functions of the logarithms of their probabilities, and what they do to each
// of the two. `margin` is the chosen one's log probability less the rejected one's, less the same of a reference where there is one.

/// -log sigmoid(beta margin) (Rafailov et al. 2023, DPO).
fn dpo(margin, beta = 0.1) = softplus(-beta * margin)

/// (margin - 1 / (2 beta))^2 (Azar et al. 2023, IPO).
fn ipo(margin, beta = 0.1) = (margin - 0.5 / beta)^2

/// -log sigmoid(beta (l_w / n_w - l_l / n_l) - gamma), by log probabilities per token and without a reference (Meng et al. 2024, SimPO).
fn simpo(chosen, rejected, chosen_length, rejected_length, beta = 2.0, gamma = 0.5) =
  softplus(gamma - beta * (chosen / chosen_length - rejected / rejected_length))

/// max(0, delta - margin) (Zhao et al. 2023, SLiC).
fn slic(margin, delta = 1.0) = max(delta - margin, 0.0)

/// How fast a step of descent on a loss of the margin moves the two log probabilities, per unit of rate times the loss's slope: (chosen,
/// rejected) = (|w|^2 - w l, w l - |l|^2), for their gradients w and l (Yuan et al. 2024, equations 6 and 7). Where w l > |w|^2 the
/// chosen one falls along with the rejected one, where w l > |l|^2 the rejected one rises along with the chosen one.
fn entanglement(w, l) = (sqnorm(w) - dot(w, l), dot(w, l) - sqnorm(l))

/// A direction that raises the chosen and lowers the rejected one whatever their inner product: each gradient by its own length
/// (Yuan et al. 2024, section 5, normalized).
fn disentangled(w, l) = w / max(norm(w), 1e-12) - l / max(norm(l), 1e-12)
