// A state-space model of a time series: the level of the Nile at Aswan, 1871 to 1970, walks at random and is seen with
// noise (Durbin and Koopman 2012, section 2). Kalman's filter integrates the levels; the two variances are those of the
// highest likelihood, published as 15099 and 1469.1. Runs in some seconds.

precision f64

use std.dist.linear_gaussian
use std.linalg.diagonal
use std.optim.adam
use std.schedules.cosine

let small = false

data nile = csv("../data/nile.csv", columns: {year: "int", volume: "real"})
// Hundreds of millions of cubic metres in units in which the variances are of the order of one.
let y = for v in nile.volume { [v / 100.0] }
let n = len(y)
let ahead = 10

param noise in positive = 1.0
param drift in positive = 1.0

/// The series, given the variances of what is seen and of the level's steps. Nothing is known of the first level.
fn levels(noise, drift, n) = linear_gaussian([[1.0]], [[drift]], [[1.0]], [[noise]], [0.0], [[1e3]], n)

fn log_likelihood(y) = levels(noise, drift, len(y)).logpdf(y)

/// The mean and the standard deviation of each observation, given those before it; and of what comes after, from the
/// last.
fn predictions() {
  let d = levels(noise, drift, n)
  let (last, seen) = scan (m = 0.0, p = 1e3) for v in y {
    let gain = p / (p + noise)
    yield (m, sqrt(p + noise))
    next m = m + gain * (v[0] - m)
    next p = (1.0 - gain) * p + drift
  }
  let later = for i in 0..ahead { sqrt(last.p + real(i) * drift + noise) }
  {mean: concat(seen[0], full(last.m, ahead)), sd: concat(seen[1], later)}
}

stage fit = train for if small { 60 } else { 400 } steps {
  maximize log_likelihood(y) over noise, drift using adam(lr: cosine(0.1, if small { 60 } else { 400 }))
  log log_likelihood = log_likelihood(y)
  every 20 steps { log variances = [1e4 * noise, 1e4 * drift] }
}

stage forecast = compute after fit {
  let p = predictions()
  // From the tenth year on: how far one step ahead is off, and how far last year's value is.
  let by_filter = mean((p.mean[10..n] - y[10..n, 0])^2)
  let by_last = mean((y[9..n - 1, 0] - y[10..n, 0])^2)
  log error = 100.0 * sqrt(by_filter), error_of_last_year = 100.0 * sqrt(by_last)
  log noise_variance = 1e4 * noise, drift_variance = 1e4 * drift
  export {year: 1871 + iota(n + ahead), mean: 100.0 * p.mean, sd: 100.0 * p.sd}, to: "forecast.csv"
}

/// Each year's flow but the first's, predicted from those before, with bounds in which nine of ten should lie.
fn picture() {
  let p = predictions()
  let part = |v| 100.0 * v[1..n]
  {
    x: nile.year[1..],
    seen: part(y[.., 0]),
    predicted: part(p.mean),
    low: part(p.mean - 1.645 * p.sd),
    high: part(p.mean + 1.645 * p.sd),
  }
}

stage look = report after fit {
  plot picture(), title: "the flow, each year predicted from those before"
  table {noise: 1e4 * noise, drift: 1e4 * drift}, title: "variances"
}

test "the filter predicts better than last year's flow" {
  assert forecast.log.error[0] < 0.95 * forecast.log.error_of_last_year[0]
}

test "the variances are those published" {
  let tolerance = if small { 0.3 } else { 0.02 }
  assert abs(fit.noise - 1.5099) < tolerance
  assert abs(fit.drift - 0.14691) < tolerance
}

test "kept values" {
  // At the published variances.
  snapshot levels(1.5099, 0.14691, n).logpdf(y)
  snapshot levels(1.5099, 0.14691, n).filter(y).m
}
