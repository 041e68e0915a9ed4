estimator reparam(d, k) where smooth(k), reparameterised(d) { k(d.transform(stop(d.noise()))) }
estimator reinforce(d, k, baseline = 0.0) {
  let x = stop(d.sample())
  (k(x) - baseline) * exp(tangent(d.logpdf(x))) + baseline            // worth k(x); right at every order
}
estimator enumerate(d, k) where finite(d) { sum(for x in d.support() { exp(d.logpdf(x)) * k(x) }) }
estimator mvd(d, k) where measure_valued(d), order d.mvd_order {
  k(stop(d.sample())) + sum(for (theta, c, plus, minus) in d.mvd() { c * (k(plus) - k(minus)) * tangent(theta) })
}
