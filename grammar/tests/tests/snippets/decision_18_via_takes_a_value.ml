estimator average(d, k, n, inner) { mean(for i in 0..n { inner(d, k) }, axis: 0) }
model q(x, pres) { z ~ bernoulli(net(x)) via pres }
q(x, average(n: 8, inner: reinforce(baseline: critic(x))))
