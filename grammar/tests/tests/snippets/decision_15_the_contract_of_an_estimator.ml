estimator reinforce(d, k, baseline = 0) {
  let x = stop(d.sample())
  (k(x) - baseline) * exp(tangent(d.logpdf(x))) + baseline
}
estimator mvd(d, k) where measure_valued(d), order d.mvd_order {
  k(stop(d.sample())) + sum(for (theta, c, plus, minus) in d.mvd() { c * (k(plus) - k(minus)) * tangent(theta) })
}
