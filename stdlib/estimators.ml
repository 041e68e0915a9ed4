// How gradients pass through a site. `d` is the distribution, `k` the rest of the expectation; the value is the estimate.
// `k` may be used several times, in sums and multiples. Further arguments are given by name: `via average(n: 8, inner: reinforce)`.
//
// A site without `via` takes the first of these that is valid there and needs nothing more, in this order.

/// Pathwise (Kingma and Welling 2014; Rezende, Mohamed and Wierstra 2014): the draw as a smooth function of noise.
estimator reparam(d, k) where smooth(k), reparameterised(d) {
  k(d.transform(stop(d.noise())))
}

/// Score function (Williams 1992), in the form that is right at every order (Foerster et al. 2018). The baseline is a value
/// that does not depend on the draw, or a function of what `k` gives, as `leave_one_out` is.
estimator reinforce(d, k, baseline = 0.0) where scored(d) {
  let x = stop(d.sample())
  let cost = k(x)
  let b = if is_function(baseline) { free_of(baseline(cost), x) } else { free_of(baseline, x) }
  (cost - b) * exp(tangent(d.logpdf(x))) + b
}

/// The mean of the other draws of `average`: a baseline for `reinforce` (Mnih and Rezende 2016; Kool, van Hoof and Welling 2019).
fn leave_one_out(cost) = others_mean(cost)

/// The sum over all points of a finite support: exact, at every order.
estimator enumerate(d, k) where finite(d) {
  sum(for x in d.support() { exp(d.logpdf(x)) * k(x) }, axis: 0)
}

/// Exact at the `n` most probable points; one draw of the others, by its score (Liu et al. 2019).
estimator enumerate_top(d, k, n) where finite(d) {
  let points = d.support()
  let lps = for x in points { d.logpdf(x) }
  let best = argsort(-stop(lps))
  let count = size(points, axis: 0)
  let exact = sum(for i in take(best, 0..less(n, count)) { exp(lps[i]) * k(points[i]) }, axis: 0)
  if n < count {
    let others = take(best, n..count)
    let rest = logsumexp(for i in others { lps[i] })
    let scores = for i in others { stop(lps[i]) - log(-log(rand())) }
    let drawn = others[argmax(scores)]
    exact + exp(rest) * k(points[drawn]) * exp(tangent(lps[drawn] - rest))
  } else {
    exact
  }
}

/// Measure-valued (Pflug 1996; Mohamed et al. 2020, section 6): the derivative of the density by a parameter, as a multiple of
/// the difference of two densities. Right for `order` derivatives, as far as the distribution's decomposition is.
estimator mvd(d, k, order = 1) where measure_valued(d), order less(order, d.mvd_order()) {
  k(stop(d.sample())) + sum(for (theta, c, plus, minus) in d.mvd() { c * (k(plus) - k(minus)) * tangent(theta) }, axis: 0)
}

/// The lesser of two numbers known at compile time.
fn less(m, n) = if m < n { m } else { n }

/// The mean of `n` draws of another estimator; what follows is drawn anew for each.
estimator average(d, k, n, inner) {
  mean(for i in 0..n { inner(d, k) }, axis: 0)
}

/// A distribution whose draw is its quantile at given uniform numbers, which other draws may share.
dist coupled(d, u) on real {
  logpdf(x) where scored(d) = d.logpdf(x)
  noise() where reparameterised(d) = u
  transform(e) where reparameterised(d) = d.quantile(e)
  sample() = d.quantile(u)
  support() where finite(d) = d.support()
  mvd() where measure_valued(d) = d.mvd()
  mvd_order() where measure_valued(d) = d.mvd_order()
}

/// Two draws at mirrored quantiles (Hammersley and Morton 1956).
estimator antithetic(d, k, inner) where d.quantile {
  let u = rand(shape(d.sample()))
  0.5 * (inner(coupled(d, u), k) + inner(coupled(d, 1.0 - u), k))
}

/// `n` draws at the quantiles of a lattice with a random shift (Cranley and Patterson 1976).
estimator quasi(d, k, n, inner) where d.quantile {
  let u = rand(shape(d.sample()))
  mean(
    for i in 0..n {
      let v = u + (real(i) + 0.0) / real(n)
      inner(coupled(d, v - floor(v)), k)
    },
    axis: 0
  )
}

/// The score with a control variate through a relaxed draw and one given the outcome (Tucker et al. 2017, equation 8).
estimator rebar(d, k, temperature = 0.5, scale = 1.0) where smooth(k), scored(d), d.relaxed, d.relaxed_given {
  let u = rand(shape(d.sample()))
  let z = d.relaxed(stop(u))
  let x = stop(d.harden(z))
  let again = d.relaxed_given(x, stop(rand(shape(u))))
  let control = scale * k(d.soften(again, temperature))
  (k(x) - control) * exp(tangent(d.logpdf(x))) + scale * k(d.soften(z, temperature))
}

/// The same with a control variate of the user's, a smooth function of the relaxed draw (Grathwohl et al. 2018, equation 8).
estimator relax(d, k, control) where scored(d), d.relaxed, d.relaxed_given {
  let u = rand(shape(d.sample()))
  let z = d.relaxed(stop(u))
  let x = stop(d.harden(z))
  let again = d.relaxed_given(x, stop(rand(shape(u))))
  (k(x) - control(again)) * exp(tangent(d.logpdf(x))) + control(z)
}

/// Of a truth value, two draws from one uniform number (Yin and Zhou 2019, theorem 1).
estimator arm(d, k) where d.logit, order 1 {
  let logit = d.logit()
  let u = stop(rand(shape(logit)))
  let p = stop(sigmoid(logit))
  let x = stop(real(u < p))
  k(x) + (k(stop(real(u > 1.0 - p))) - k(x)) * (u - 0.5) * tangent(logit)
}

/// The derivative of the mean in the place of that of the draw (Bengio, Leonard and Courville 2013): biased.
biased estimator straight_through(d, k) where smooth(k), d.mean {
  k(stop(d.sample()) + tangent(d.mean()))
}

/// A relaxed draw in the place of the draw (Jang, Gu and Poole 2017; Maddison, Mnih and Teh 2017): biased.
biased estimator gumbel_softmax(d, k, temperature = 0.5) where smooth(k), d.relaxed {
  k(d.soften(d.relaxed(stop(rand(shape(d.sample())))), temperature))
}

/// The valid estimator of this library with the least product of the gradient's variance and its work, as measured when a stage
/// that trains begins; elsewhere the first that is valid.
estimator auto(d, k) where chosen(d) {
  k(stop(d.sample()))
}
