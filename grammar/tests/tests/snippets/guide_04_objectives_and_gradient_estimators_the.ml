fn elbo(p, q) = expect { let (t, lq) = sample(q); logdensity(p, t) - lq }
fn iwelbo(p, q, n) = expect { logmeanexp(for i in 0..n { let (t, lq) = sample(q); logdensity(p, t) - lq }) }
