// The bounds of `std.vi` with other gradients: the values are theirs, the gradients have the same mean and less variance. Right
// for one derivative.

/// `elbo` without the score of the guide, whose mean is zero: its gradient vanishes at the posterior (Roeder, Wu and Duvenaud 2017,
/// equation 4).
fn sticking(p, q) = expect {
  let (t, lq) = sample(q)
  logdensity(p, t) - lq + tangent(logdensity(q, stop(t)))
}

/// `iwelbo` doubly reparameterised: by the guide's parameters the sum of v^2 dr/dt dt/dphi, v the normalised weights (Tucker et al.
/// 2019, equation 8), by others that of v dr. For guides whose sites are reparameterised.
fn dreg(p, q, n) = expect {
  let (r, own, path) = for i in 0..n {
    let (t, lq) = sample(q)
    let held = stop(t)
    let (lp, lp_held) = (logdensity(p, t), logdensity(p, held))
    (lp - lq, tangent(lp_held), tangent(lp - lp_held - lq + logdensity(q, held)))
  }
  let v = stop(softmax(r))
  stop(logmeanexp(r)) + dot(v, own) + dot(v * v, path)
}

/// `iwelbo` by scores, each with a baseline made of the other traces: the bound with their geometric mean in the place of its weight
/// (Mnih and Rezende 2016, equations 7 to 10). For any guide, whatever its estimators.
fn vimco(p, q, n) {
  let (r, lq) = for i in 0..n {
    let (t, _) = stop(sample(q))
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
