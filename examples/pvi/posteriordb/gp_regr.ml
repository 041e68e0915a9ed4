// A Gaussian process through eleven points, with length, size and noise learned (posteriordb, gp_pois_regr-gp_regr).

use std.dist.{normal, half_normal, gamma, multivariate_normal}
use std.auto.full_rank
use std.diagnostics.fitted
use std.linalg.eye
use std.vi.elbo
use std.optim.adam
use std.schedules

data points = csv("../../data/posteriordb/gp_regr.csv")
let x = real(points.x)

model process() {
  rho ~ gamma(25.0, 4.0)
  alpha ~ half_normal(2.0)
  // Of the noise this is the variance.
  sigma ~ half_normal(1.0)
  let k = for a in x { for b in x { alpha * alpha * exp(-0.5 * square((a - b) / rho)) } }
  y ~ multivariate_normal(zeros(11), covariance: k + sigma * eye(11))
}

let posterior = process() given {y: points.y}

model guide = full_rank(posterior)

stage fit = train for 600 steps {
  maximize mean(for i in 0..8 { elbo(posterior, guide) }) over guide using adam(lr: schedules.cosine(0.02, 600))
  verdict fitted(posterior, guide)
}

let means = [6.874348, 2.4424, 1.828731]
let sds = [1.265693, 0.781794, 0.504991]

test "moments of the process" {
  let draws = for i in 0..20000 {
    let (t, _) = sample(fit.guide)
    stack([t.rho, t.alpha, t.sigma])
  }
  assert max(abs(mean(draws, axis: 0) - means) / sds) < 0.3
  let ratio = std(draws, axis: 0) / sds
  assert min(ratio) > 0.7 and max(ratio) < 1.4
}
