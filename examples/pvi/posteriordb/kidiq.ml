// A straight line with flat priors of its coefficients: test scores of children by the score of their mothers (Gelman
// and Hill 2006; posteriordb, kidiq-kidscore_momiq).

use std.dist.{normal, half_cauchy, flat}
use std.auto.full_rank
use std.diagnostics.fitted
use std.vi.elbo
use std.optim.adam
use std.schedules

data kidiq = csv("../../data/posteriordb/kidiq.csv")

model line() {
  let beta = for i in 0..2 { beta ~ flat(real) }
  sigma ~ half_cauchy(2.5)
  for x in kidiq.mom_iq { y ~ normal(beta[0] + beta[1] * x, sigma) }
}

let posterior = line() given {y: real(kidiq.kid_score)}

model guide = full_rank(posterior)

stage fit = train for 600 steps {
  maximize mean(for i in 0..8 { elbo(posterior, guide) }) over guide using adam(lr: schedules.cosine(0.02, 600))
  verdict fitted(posterior, guide)
}

let means = [25.91653, 0.60863, 18.27585]
let sds = [5.96830, 0.058979, 0.62398]

test "moments of the line" {
  let draws = for i in 0..20000 {
    let (t, _) = sample(fit.guide)
    concat(t.beta, stack([t.sigma]))
  }
  assert max(abs(mean(draws, axis: 0) - means) / sds) < 0.3
  let ratio = std(draws, axis: 0) / sds
  assert min(ratio) > 0.7 and max(ratio) < 1.4
}
