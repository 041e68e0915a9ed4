// A mixture of two normals with ascending means (posteriordb, low_dim_gauss_mix). Which of the two an observation is
// of is a site of the model; the compiler sums over it, observation by observation.

use std.dist.{normal, half_normal, beta, bernoulli, flat}
use std.inference.marginal
use std.supports.ordered
use std.auto.full_rank
use std.diagnostics.fitted
use std.vi.elbo
use std.optim.adam
use std.schedules

data mix = csv("../../data/posteriordb/low_dim_gauss_mix.csv")
let n = len(mix.y)

model two(n) {
  mu ~ flat(ordered(2))
  factor normal(zeros(2), 2.0).logpdf(mu)
  let sigma = for k in 0..2 { sigma ~ half_normal(2.0) }
  theta ~ beta(5.0, 5.0)
  for i in 0..n {
    // 0: the first of the two.
    s ~ bernoulli(1.0 - theta)
    y ~ normal(mu[int(s)], sigma[int(s)])
  }
}

let posterior = marginal(two(n) given {y: mix.y}, sum: .s)

model guide = full_rank(posterior)

stage fit = train for 400 steps {
  maximize mean(for i in 0..4 { elbo(posterior, guide) }) over guide using adam(lr: schedules.cosine(0.02, 400))
  verdict fitted(posterior, guide, n: 1000)
}

let means = [-2.733514, 2.869832, 1.028074, 1.023822, 0.621549]
let sds = [0.0420429, 0.0546006, 0.0314359, 0.0404819, 0.0154802]

test "the sum is that of the mixture's density" {
  let t = {mu: [-2.0, 3.0], sigma: [1.0, 1.5], theta: 0.4}
  let each = for v in mix.y {
    logaddexp(log(0.4) + normal(-2.0, 1.0).logpdf(v), log(0.6) + normal(3.0, 1.5).logpdf(v))
  }
  let prior = normal(zeros(2), 2.0).logpdf(t.mu) + half_normal(2.0).logpdf(1.0) + half_normal(2.0).logpdf(1.5) +
    beta(5.0, 5.0).logpdf(0.4)
  assert close(logdensity(posterior, t) / (sum(each) + prior), 1.0, 1e-5)
}

test "moments of the mixture" {
  let draws = for i in 0..20000 {
    let (t, _) = sample(fit.guide)
    concat([t.mu, t.sigma, stack([t.theta])])
  }
  assert max(abs(mean(draws, axis: 0) - means) / sds) < 0.3
  let ratio = std(draws, axis: 0) / sds
  assert min(ratio) > 0.7 and max(ratio) < 1.4
  assert fit.log.good[0]
}
