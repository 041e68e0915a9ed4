// Eight schools: the effects of coaching in eight schools, with a spread that is learned (Rubin 1981; posteriordb,
// eight_schools). The effects are written as multiples of the spread, which is near normal in the reals; written
// directly they make a funnel, which no normal guide covers, and of which the verdict says so.

use std.dist.{normal, half_cauchy}
use std.auto.{full_rank, mean_field, noncentred, search}
use std.diagnostics.fitted
use std.vi.elbo
use std.optim.adam
use std.schedules

data schools = csv("../../data/posteriordb/eight_schools.csv")
let (y, sigma) = (real(schools.y), real(schools.sigma))

model centred() {
  mu ~ normal(0.0, 5.0)
  tau ~ half_cauchy(5.0)
  for s in sigma {
    theta ~ normal(mu, tau)
    y ~ normal(theta, s)
  }
}

let apart = noncentred(centred() given {y}, .theta)

model guide = full_rank(apart)

model wrong = mean_field(centred() given {y}, start: search())

stage fit = train for 1500 steps {
  maximize mean(for i in 0..16 { elbo(apart, guide) })
    over guide
    using adam(lr: schedules.cosine(0.02, 1500))
  verdict fitted(apart, guide, n: 100000)
}

stage funnel = train for 1500 steps {
  maximize mean(for i in 0..16 { elbo(centred() given {y}, wrong) })
    over wrong
    using adam(lr: schedules.cosine(0.02, 1500))
  verdict fitted(centred() given {y}, wrong, n: 100000)
}

// By chains of Markov: posteriordb, eight_schools-eight_schools_noncentered.
let means = [6.1505, 4.9396, 3.9059, 4.7960, 3.6144, 4.0511, 6.3172, 4.8840, 4.4105, 3.6021]
let sds = [5.6156, 4.6453, 5.2804, 4.7707, 4.6145, 4.7960, 5.0026, 5.3174, 3.3091, 3.1983]

test "moments of eight schools" {
  let draws = for i in 0..20000 {
    let (t, _) = sample(fit.guide)
    concat(t.mu + t.tau * t.theta, stack([t.mu, t.tau]))
  }
  assert max(abs(mean(draws, axis: 0) - means) / sds) < 0.3
  let ratio = std(draws, axis: 0) / sds
  assert min(ratio) > 0.7 and max(ratio) < 1.4
}

test "verdicts" {
  // Of the funnel the guide misses most: the bound is low, and the ratios have hardly a mean.
  assert not funnel.log.good[0] and funnel.log.khat[0] > 0.85
  assert fit.log.khat[0] < 0.8 and fit.log.elbo[0] > funnel.log.elbo[0] + 3.0
}
