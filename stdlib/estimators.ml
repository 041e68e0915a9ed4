// How gradients pass through a site. `d` is the distribution, `k` the rest of the expectation; the value is the estimate.
// A site without `via` takes the first of these that is valid there, in this order.

/// Pathwise (Kingma and Welling 2014; Rezende, Mohamed and Wierstra 2014): the draw as a smooth function of noise.
estimator reparam(d, k) where smooth(k), reparameterised(d) {
  k(d.transform(stop(d.noise())))
}

/// Score function (Williams 1992), in the form that is right at every order (Foerster et al. 2018). The baseline must not
/// depend on the draw.
estimator reinforce(d, k, baseline = 0.0) where scored(d) {
  let x = stop(d.sample())
  (k(x) - baseline) * exp(tangent(d.logpdf(x))) + baseline
}
