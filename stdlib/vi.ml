// Variational objectives. `p` is the model, conditioned on what was observed; `q` the guide of the rest.

/// The evidence lower bound E_q[log p(t) - log q(t)] (Jordan et al. 1999).
fn elbo(p, q) = expect {
  let (t, lq) = sample(q)
  logdensity(p, t) - lq
}

/// The importance-weighted bound with n particles (Burda, Grosse and Salakhutdinov 2016, equation 8).
fn iwelbo(p, q, n) = expect {
  logmeanexp(for i in 0..n {
    let (t, lq) = sample(q)
    logdensity(p, t) - lq
  })
}
