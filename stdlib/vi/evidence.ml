// Variational objectives. `p` is the model, conditioned on what was observed; `q` the guide of the rest.

use std.inference.{marginal, importance}

/// The evidence lower bound E_q[log p(t) - log q(t)] (Jordan et al. 1999).
fn elbo(p, q) = expect {
  let (t, lq) = sample(q)
  logdensity(p, t) - lq
}

/// The same, with KL(q, p) in the place of its estimate at each site where guide and model have distributions of one family that declares
/// it (Kingma and Welling 2014, appendix B): E_q[log p(t) - log q(t)] = E_q[.. - KL(q(. | before), p(. | before))].
fn analytic_elbo(p, q) = expect {
  let (t, lq) = sample(q)
  logdensity(p, t, analytic: true) - lq
}

/// The importance-weighted bound with n particles (Burda, Grosse and Salakhutdinov 2016, equation 8).
fn iwelbo(p, q, n) = expect {
  logmeanexp(for i in 0..n {
    let (t, lq) = sample(q)
    logdensity(p, t) - lq
  })
}

/// The bound with a guide that has auxiliaries, all but the sites `keep`, and one draw of them per trace: `r` is a function from the
/// kept part of the trace to a model of the auxiliaries (Ranganath, Tran and Blei 2016, equation 7).
fn hvi(p, q, keep, r) = elbo(p, marginal(q, keep: keep, with: importance(r, n: 1)))

/// The same with `m` draws of the auxiliaries, that of the guide among them (Sobolev and Vetrov 2019, equation 5).
fn iwhvi(p, q, keep, r, m) = elbo(p, marginal(q, keep: keep, with: importance(r, n: m)))

/// The importance-weighted bound with `n` traces, each with `m` draws of the auxiliaries (Sobolev and Vetrov 2019, section 5.2).
fn diwhvi(p, q, keep, r, n, m) = iwelbo(p, marginal(q, keep: keep, with: importance(r, n: m)), n)
