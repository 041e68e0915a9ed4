fn iwelbo(p, q, n) = expect {
  logmeanexp(for i in 0..n { let (t, lq) = sample(q); logdensity(p, t) - lq })    // inside: fine
}
minimize log(plug_in(expect { x ~ noise; exp(logf(x) - noise.logpdf(x)) })) - mean(logf(xs)) over f using opt
