// {{name}}: how fast do the plants in data/growth.csv grow? A straight line seen through noise, whose start, rate and noise are
// inferred. `mlc run pipeline.ml` trains a guide for them; `mlc test` checks it against what is known of straight lines.

use std.dist.{normal, half_normal}
use std.auto.full_rank
use std.diagnostics.fitted
use std.vi.elbo
use std.optim.adam
use std.schedules.cosine

let small = false
let steps = if small { 500 } else { 3000 }

data table = csv("data/growth.csv")
let days = real(table.day)
let heights = real(table.height)

/// The line, with what is thought of it before any plant is seen.
model growth(day: real[n]) {
  start ~ normal(0.0, 5.0)
  rate ~ normal(0.0, 5.0)
  noise ~ half_normal(2.0)
  for d in day { height ~ normal(start + rate * d, noise) }
}

fn posterior() = growth(days) given {height: heights}

model guide = full_rank(posterior())

stage fit = train for steps steps {
  maximize mean(for i in 0..8 { elbo(posterior(), guide) }) over guide using adam(lr: cosine(0.05, steps))
  verdict fitted(posterior(), guide)
  every 100 steps { log bound = mean(for i in 0..500 { elbo(posterior(), guide) }) }
}

/// Draws of the posterior.
stage draws = compute after fit {
  let d = for i in 0..4000 {
    let (trace, _) = sample(guide)
    trace
  }
  log start = mean(d.start), start_sd = std(d.start)
  log rate = mean(d.rate), rate_sd = std(d.rate)
  log noise = mean(d.noise)
}

fn mean_line() = draws.log.start[-1] + draws.log.rate[-1] * days

stage look = report after fit {
  plot fit.log.bound, title: "the bound while the guide learns"
  plot {measured: heights, line: mean_line()}, title: "heights of the plants, youngest first, and the mean line"
}

test "the data are what they were" {
  assert len(days) == 60
  snapshot {days: mean(days), heights: mean(heights)}, tol: 1e-5
}

test "the rate is that of least squares" {
  let (dx, dy) = (days - mean(days), heights - mean(heights))
  let rate = dot(dx, dy) / dot(dx, dx)
  // The prior hardly counts beside 60 plants, and the rate's own spread is below 0.03.
  assert close(draws.log.rate[-1], rate, 0.02)
}
