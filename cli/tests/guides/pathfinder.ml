precision f64

use std.dist.{normal, half_cauchy}
use std.auto.{noncentred, pathfinder}
use std.inference.{normalize, sir}
use known.line.{posterior, centre, covariance_of, covariance_from}

model on_the_way = pathfinder(posterior, draws: 100)
model several = pathfinder(posterior, paths: 3, draws: 100)

fn draws(guide) = for i in 0..20000 { sample(guide)[0].w }

// Of a normal density the whole curvature is known after as many steps as there are dimensions.
test "a normal posterior is found" {
  let d = draws(on_the_way)
  assert close(mean(d, axis: 0), centre, 0.02)
  assert close(covariance_from(d), covariance_of, 0.02)
  let root = on_the_way.kept.frame.root
  assert close(root @ root.T, covariance_of, 2e-3)
  assert close(on_the_way.kept.frame.at, centre, 2e-3)
}

test "several paths" {
  let d = draws(several)
  assert close(mean(d, axis: 0), centre, 0.02)
  let (t, w) = sample(several)
  assert close(logdensity(several, t), w, 1e-9)
  assert close(logdensity(several, t), logdensity(on_the_way, t), 0.15)
}

// --- Eight schools (posteriordb, eight_schools-eight_schools_noncentered) ---

data schools = csv("../../../examples/data/posteriordb/eight_schools.csv")

model effects(sigma) {
  mu ~ normal(0.0, 5.0)
  tau ~ half_cauchy(5.0)
  for s in sigma {
    theta ~ normal(mu, tau)
    y ~ normal(theta, s)
  }
}

let eight = noncentred(effects(real(schools.sigma)) given {y: real(schools.y)}, .theta)

model one = pathfinder(eight)
model four = pathfinder(eight, paths: 4)

// By chains of Markov: the effects, then mu and tau.
let means = [6.1505, 4.9396, 3.9059, 4.7960, 3.6144, 4.0511, 6.3172, 4.8840, 4.4105, 3.6021]
let sds = [5.6156, 4.6453, 5.2804, 4.7707, 4.6145, 4.7960, 5.0026, 5.3174, 3.3091, 3.1983]

fn off(guide) {
  let d = for i in 0..10000 {
    let (t, _) = sample(guide)
    concat(t.mu + t.tau * t.theta, stack([t.mu, t.tau]))
  }
  let ratio = std(d, axis: 0) / sds
  (max(abs(mean(d, axis: 0) - means) / sds), min(ratio), max(ratio))
}

test "eight schools" {
  let (by_one, low, high) = off(one)
  assert by_one < 0.3 and low > 0.5 and high < 1.5
  let (resampled, less, more) = off(normalize(eight, with: sir(four, n: 50)))
  assert resampled < 0.15 and less > 0.75 and more < 1.25
}
