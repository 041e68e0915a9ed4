// Linear regression of a hundred rows on five columns (posteriordb, sblri-blr).

use std.dist.{normal, half_normal}
use std.auto.full_rank
use std.diagnostics.fitted
use std.vi.elbo
use std.optim.adam
use std.schedules

data sblri = csv("../../data/posteriordb/sblri.csv")
let x = stack(sblri.except{y})

model regression() {
  beta ~ normal(zeros(5), 10.0)
  sigma ~ half_normal(10.0)
  for row in x { y ~ normal(dot(row, beta), sigma) }
}

let posterior = regression() given {y: sblri.y}

model guide = full_rank(posterior)

stage fit = train for 600 steps {
  maximize mean(for i in 0..8 { elbo(posterior, guide) }) over guide using adam(lr: schedules.cosine(0.02, 600))
  verdict fitted(posterior, guide)
}

let means = [0.9994661, 1.0002286, 1.0004226, 1.0011475, 1.0015625, 0.9626325]
let sds = [0.0009739813, 0.0011535409, 0.00095808273, 0.0010600751, 0.0010475584, 0.07117870]

test "moments of the regression" {
  let draws = for i in 0..20000 {
    let (t, _) = sample(fit.guide)
    concat(t.beta, stack([t.sigma]))
  }
  assert max(abs(mean(draws, axis: 0) - means) / sds) < 0.3
  let ratio = std(draws, axis: 0) / sds
  assert min(ratio) > 0.7 and max(ratio) < 1.4
  assert fit.log.good[0]
}
