expect { sum(for i in 0..1000 { z ~ bernoulli(p[i]) via enumerate; cost(i, z) }) }      // 2000 terms
expect { logmeanexp(for i in 0..2 { z ~ bernoulli(p) via enumerate; w(z) }) }           // 4 terms
