// Paper: Defazio, Cutkosky, Mehta and Mishchenko, "When, Why and How Much? Adaptive Learning Rate Scheduling by Refinement" (2023).
// Claim: A bound on the last iterate gives the best schedule from the lengths of gradients: a straight line down where they stay the
//   same.
// Shown: The schedule makes the bound least. Three problems, one row a step, 2000 steps, each schedule at the best of 14 rates, 20 runs:
//   the line is best on the hinge loss (0.051; next, the cosine, 0.053) and the logistic loss (0.058; cosine 0.059), and 0.3 % above the
//   best on absolute errors (1.391; 1/t 1.387). Over five seeds it is best on the logistic loss in all, on the hinge loss in three.
// Not shown: That a schedule refined by the lengths of a first run does better than the line: as good on absolute errors, 1 to 10 % above
//   it on the hinge and 4 to 22 % on the logistic loss, where most gradients are near 0 and few are long, so that the refined rates are
//   ragged. Their median is 0, so the root mean square is taken here, which is what the bound has.
// Takes: Some five seconds.
// Vary: `--seed` for other rows, `--set batch=16` for more rows a step.

precision f64

use std.optim.sgd
use std.random.student_t_draw
use std.refinement.{median_filter, refined, looked_up, rms_filter, last_iterate_bound}
use std.schedules

let small = false
let steps = if small { 1000 } else { 2000 }
let runs = if small { 10 } else { 20 }
let batch = 1
let grid = for k in 0..14 { 2e-3 * 2.0^real(k) }

// 1. Three problems: rows x, answers y, and the loss of a row.

data cancer = csv("../data/breast_cancer.csv")

/// Columns of mean 0 and variance 1, and one of ones.
fn standardised(x: real[n, d]) = concat(for c in x.T { (c - mean(c)) / std(c) }, ones(1, n)).T

let truth = randn([20])
let points = randn([500, 20])
let line = {x: points, y: points @ truth + student_t_draw(2.0 * ones(500))}
let cells = {x: standardised(stack(cancer.except{benign})), y: 2.0 * real(cancer.benign) - 1.0}

fn absolute(p, y) = abs(p - y)
fn hinge(p, y) = max(1.0 - y * p, 0.0)
fn logistic(p, y) = softplus(-y * p)

fn total(t, loss, w) = mean(for (x, y) in (t.x, t.y) { loss(dot(x, w), y) })

// 2. Schedules whose highest rate is 1.

fn rates_of(s) = for i in 0..steps { s(i) }

let names = ["constant", "1 / t", "1 / sqrt t", "steps", "cosine", "line"]
let fixed = stack([
  ones(steps),
  rates_of(|t| 1.0 / (1.0 + 20.0 * real(t) / real(steps))),
  rates_of(|t| 1.0 / sqrt(real(t) + 1.0)),
  rates_of(schedules.piecewise([div(steps, 2), div(3 * steps, 4)], [1.0, 0.1, 0.01])),
  rates_of(schedules.cosine(1.0, steps)),
  rates_of(schedules.linear(1.0, 0.0, steps)),
])

/// Stochastic descent at a rate for each step: the loss of the last iterate, and the lengths of the gradients on the way.
fn descent(t, loss, rates) {
  let (w, lengths) = scan (w = zeros(shape(t.x)[1])) for rate in rates {
    let rows = randint(0, len(t.y), batch)
    let g = grad(mean(for i in rows { loss(dot(t.x[i], w), t.y[i]) }), wrt: w)
    next w = w - rate * g
    yield norm(g)
  }
  {loss: total(t, loss, w), lengths: lengths}
}

/// Losses of `runs` runs at the rate of the grid whose mean is least.
fn best(t, loss, rates) {
  let all = for peak in grid, r in 0..runs { descent(t, loss, peak * rates).loss }
  all[argmin(mean(all, axis: 1))]
}

/// What the line's best rate was, and the schedule that a run by it is refined to.
fn refinement(t, loss) {
  let peak = grid[argmin(for peak in grid { mean(for r in 0..runs { descent(t, loss, peak * fixed[5]).loss }) })]
  refined(descent(t, loss, peak * fixed[5]).lengths, smooth: rms_filter)
}

stage compare(t, loss) = compute {
  let rates = refinement(t, loss)
  log losses = concat(for s in fixed { best(t, loss, s) }, insert_axis(best(t, loss, rates), 0))
  log refined = rates
}

let on_absolute = compare(line, absolute).log
let on_hinge = compare(cells, hinge).log
let on_logistic = compare(cells, logistic).log

// 3. One stage's log as the next one's schedule.

param w = zeros(31)

stage first = train b in cells.shuffle().batch(32, last: drop) for 20 epochs {
  let g = grad(total(b, logistic, w), wrt: w)
  update w by g using sgd(lr: schedules.linear(1.0, 0.0, 340))
  log length = norm(g)
}

stage second = train b in cells.shuffle().batch(32, last: drop) for 20 epochs {
  minimize total(b, logistic, w) over w using sgd(lr: looked_up(refined(first.log.length)))
}

stage show = report {
  plot {line: fixed[5], absolute: on_absolute.refined[0], hinge: on_hinge.refined[0], logistic: on_logistic.refined[0]},
    title: "rates by the step: the line, and what it is refined to on three problems"
  plot {lengths: first.log.length, refined: refined(first.log.length)},
    title: "lengths of gradients of batches of 32, and the schedule they are refined to"
  text "Losses of the last iterate, a row for each schedule: constant, 1/t, 1/sqrt t, steps, cosine, line, refined."
  table columns(on_absolute.losses[0]), title: "absolute errors"
  table columns(on_hinge.losses[0]), title: "hinge loss"
  table columns(on_logistic.losses[0]), title: "logistic loss"
  table {line: total(cells, logistic, first.w), refined: total(cells, logistic, second.w)},
    title: "logistic loss in batches of 32: the line, then what it is refined to"
}

fn columns(losses) = {mean: mean(losses, axis: 1), standard_error: std(losses, axis: 1, ddof: 1) / sqrt(real(runs))}

test "lengths that stay the same give a straight line" {
  assert close(refined(3.0 * ones(50)), 1.0 - real(iota(50)) / 49.0, 1e-12)
}

test "the schedule makes the bound least" {
  let lengths = exp(randn([12]))
  let weights = 1.0 / square(lengths)
  // By how much the bound is scaled is fixed by the distance: w = distance / sqrt(sum 1 / length^2) / length^2.
  let scaled = 2.0 / sqrt(sum(weights)) * weights
  assert close(grad(last_iterate_bound(scaled, lengths, 2.0), wrt: scaled), zeros(12), 1e-12)
  // Rates of steps are w_t times the weight that is left, over all of it.
  let left = for t in 0..12 { sum(select(iota(12) > t, scaled, 0.0)) }
  let rates = scaled * left
  assert close(refined(lengths, tau: 0.0), rates / max(rates), 1e-12)
}

test "long gradients at the start make a warm-up" {
  let lengths = for t in 0..200 { if t < 30 { 10.0 } else { 1.0 } }
  let rates = refined(lengths)
  assert argmax(rates) > 0 and rates[0] < 0.05
  assert rates[-1] == 0.0
}

test "the median filter" {
  let x = [1.0, 9.0, 2.0, 3.0, 8.0]
  assert close(median_filter(x, 3), [9.0, 2.0, 3.0, 3.0, 3.0], 0.0)
  assert close(median_filter(x, 5), [2.0, 3.0, 3.0, 3.0, 3.0], 0.0)
}

fn means(l) = mean(l.losses[0], axis: 1)

test "the line is among the best of the fixed schedules" {
  let (a, h, g) = (means(on_absolute), means(on_hinge), means(on_logistic))
  assert a[5] < (if small { 1.02 } else { 1.005 }) * min(a[..6])
  assert h[5] < (if small { 1.1 } else { 1.04 }) * min(h[..6])
  assert g[5] < (if small { 1.1 } else { 1.04 }) * min(g[..6])
  // At any rate it is far better than none.
  let than_none = if small { 1.0 } else { 0.96 }
  assert h[5] < than_none * h[0] and g[5] < than_none * g[0]
}

test "not shown: that the refined schedule is better than the line" {
  assert means(on_absolute)[6] > 0.998 * means(on_absolute)[5]
  assert means(on_hinge)[6] > 0.97 * means(on_hinge)[5]
  assert means(on_logistic)[6] > 0.97 * means(on_logistic)[5]
}

test "a stage's log is the next one's schedule" {
  assert total(cells, logistic, second.w) < 0.1
  assert total(cells, logistic, first.w) < 0.1
}
