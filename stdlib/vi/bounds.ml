// Bounds of the log evidence, and objectives made of a joint density. `p` is the model, conditioned on what was observed; `q` the
// guide of the rest. r = log p(x, t) - log q(t) is the log weight of a trace t.

/// The Renyi bound of order `alpha` < 1, taken over `n` traces: between the evidence lower bound (alpha = 1) and the importance-
/// weighted bound (alpha = 0). E log(mean of w^(1 - alpha)) / (1 - alpha) (Li and Turner 2016; a bound for each n: Daudel,
/// Douc and Roueff 2023).
fn vr_iwae(p, q, alpha, n) = expect {
  let powers = for i in 0..n {
    let (t, lq) = sample(q)
    (1.0 - alpha) * (logdensity(p, t) - lq)
  }
  logmeanexp(powers) / (1.0 - alpha)
}

/// E_q[exp(order * (r - shift))]: without bias, and least where q minimises the chi divergence (Dieng et al. 2017). Any
/// `shift` near the log evidence keeps it from overflowing, and scales it.
fn chi(p, q, order = 2.0, shift = 0.0) = expect {
  let (t, lq) = sample(q)
  exp(order * (logdensity(p, t) - lq - shift))
}

/// The chi upper bound log(E_q[w^order]) / order, for order >= 1 (Dieng et al. 2017). Biased: the logarithm of the mean of
/// `n` draws; others, stopped, say by what they are scaled.
fn cubo(p, q, order = 2.0, n = 1) {
  let pilot = for i in 0..n {
    let (t, lq) = sample(q)
    logdensity(p, t) - lq
  }
  let shift = stop(max(pilot))
  let moment = mean(for i in 0..n { chi(p, q, order: order, shift: shift) })
  shift + log(plug_in(moment)) / order
}

/// The variational Renyi bound of any order but 1, a lower one for alpha > 0 and an upper one for alpha < 0 (Li and Turner
/// 2016). Biased, as `cubo`, which it is at the order 1 - alpha; `vr_iwae` is not.
fn renyi(p, q, alpha, n = 1) = cubo(p, q, order: 1.0 - alpha, n: n)

/// The upper bound E_posterior[r], the log evidence plus KL(posterior, q), from draws of the `posterior` (Ji and Shen 2019). With `n`
/// traces, all but the first from the guide, E log(mean of w), which is nearer (Grosse, Ghahramani and Adams 2015).
fn eubo(p, q, posterior, n = 1) {
  needs_exact(p, hint: "the logarithm of an estimate errs downward, and this bound is an upper one; use `elbo(p, q)`, a lower one")
  if n > 1 { needs_exact(q, hint: "with one trace the guide is only scored, and may be estimated: `n: 1`") }
  fn others() = for i in 0..n - 1 {
    let (t, lq) = sample(q)
    logdensity(p, t) - lq
  }
  expect {
    let (t, _) = sample(posterior)
    let first = logdensity(p, t) - logdensity(q, t)
    if n == 1 { first } else { logmeanexp(concat([first], others())) }
  }
}

/// The thermodynamic objective: the integral over b from 0 to 1 of the mean of r under q^(1 - b) p^b, by a sum over the intervals
/// between `betas` (from 0 to 1, ascending), each with the mean at its left end, with `upper` at its right (Masrani, Le and Wood
/// 2019). The means are taken over `n` weighted traces of the guide; the gradient is that of what they are
/// expected to give.
fn tvo(p, q, betas, n, upper = false) {
  let instead = "means of powers of an estimate are no estimates of its powers; use `iwelbo(p, q, n)` or `vr_iwae`"
  needs_exact(p, hint: instead)
  needs_exact(q, hint: instead)
  expect {
    let r = for i in 0..n {
      let (t, lq) = sample(q)
      logdensity(p, t) - lq
    }
    sum(for j in 0..len(betas) - 1 {
      let b = betas[if upper { j + 1 } else { j }]
      (betas[j + 1] - betas[j]) * dot(softmax(b * r), r)
    })
  }
}

/// The bound with the divergence of the guide from the `prior` counted `beta` times: E_q[log p(x | t)] - beta KL(q, prior) (Higgins et
/// al. 2017, equation 4). `prior` is the model of the open sites alone.
fn beta_elbo(p, q, prior, beta) {
  needs_exact(prior, hint: "the prior is taken out of the model's density; give one that is exact, or use `annealed_elbo`")
  expect {
    let (t, lq) = sample(q)
    let lp = logdensity(prior, t)
    logdensity(p, t) - lp + beta * (lp - lq)
  }
}

/// The bound with the guide's entropy counted `temperature` times; at its greatest q is p^(1 / temperature), normalised (Katahira,
/// Watanabe and Okada 2008).
fn annealed_elbo(p, q, temperature) = expect {
  let (t, lq) = sample(q)
  logdensity(p, t) - temperature * lq
}

/// What is greatest at the most probable trace `t`: log p(x, t).
fn posterior_mode(p, t) = logdensity(p, t)

/// What is greatest at the most likely trace `t`: log p(x | t), with the `prior`, the model of the open sites alone, taken out.
fn likelihood(p, t, prior) {
  needs_exact(prior, hint: "the prior is taken out of the model's density; give one that is exact, or use `posterior_mode`")
  logdensity(p, t) - logdensity(prior, t)
}
