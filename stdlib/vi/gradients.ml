// The bounds of `std.vi` with other gradients: the values are theirs, the gradients have the same mean and less variance. Right
// for one derivative, and for guides whose density is exact.

use std.estimators.reparam

/// A draw that no derivative passes, also where an `expect` stands around: for objectives that state their gradient themselves.
estimator held(d, k) {
  k(stop(d.sample()))
}

/// `elbo` without the score of the guide, whose mean is zero: its gradient vanishes at the posterior (Roeder, Wu and Duvenaud 2017).
fn sticking(p, q) {
  needs_exact(q, hint: "the score of an estimated density has another mean than zero; use `elbo(p, q)`")
  expect {
    let (t, lq) = sample(q)
    logdensity(p, t) - lq + tangent(logdensity(q, stop(t)))
  }
}

/// `iwelbo` doubly reparameterised: by the guide's parameters the sum of v^2 dr/dt dt/dphi, v the normalised weights (Tucker et al.
/// 2019), by others that of v dr. All sites of the guide are reparameterised.
fn dreg(p, q, n) {
  let instead = "two estimates of one density differ; use `iwelbo(p, q, n)`, which takes estimates"
  needs_exact(p, hint: instead)
  needs_exact(q, hint: instead)
  expect {
    let (r, own, path) = for i in 0..n {
      let (t, lq) = sample(q, strategy: reparam)
      let held = stop(t)
      let (lp, lp_held) = (logdensity(p, t), logdensity(p, held))
      (lp - lq, tangent(lp_held), tangent(lp - lp_held - lq + logdensity(q, held)))
    }
    let v = stop(softmax(r))
    stop(logmeanexp(r)) + dot(v, own) + dot(v * v, path)
  }
}

/// `iwelbo` by scores, each with a baseline made of the other traces: the bound with their geometric mean in the place of its weight
/// (Mnih and Rezende 2016): b_i = log((sum over j other than i of w_j + their geometric mean) / n), and the score of trace i counts
/// bound - b_i times. For any guide, whatever its estimators.
fn vimco(p, q, n) {
  needs_exact(q, hint: "an estimated density has no score; use `iwelbo(p, q, n)`, whose sites have estimators of their own")
  let (r, lq) = for i in 0..n {
    let (t, _) = stop(sample(q, strategy: held))
    let lq = logdensity(q, t)
    (logdensity(p, t) - lq, lq)
  }
  let bound = logmeanexp(r)
  let baselines = for i in 0..n {
    let others = (sum(r) - r[i]) / real(n - 1)
    logmeanexp(select(iota(n) == i, others, r))
  }
  bound + dot(stop(bound - baselines), tangent(lq))
}
