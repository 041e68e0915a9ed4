// Paper: Emami and Martinez-Munoz, "Sequential Training of Neural Networks with Gradient Boosting" (2019).
// Claim: A net that grows by a few units fitted to what is left is as good as one that is trained at once, and may be cut where one
//   likes.
// Shown: Twenty stages of three units, five draws each. Regression (Friedman's first function): loss 0.067 where a part for choosing is
//   best, 0.086 of 60 units trained at once by the best of three rates and stopped where best. The sum of layers is one net to 1e-10; the
//   fitted loss falls at every stage; half of the stages are as good as all, in both problems.
// Not shown: On the tumours the grown net is worse, 0.121 against 0.081 of the one trained at once. Stages are fitted by Adam, not
//   L-BFGS.
// Takes: Some 20 seconds.
// Vary: `--seed` for other draws, `--set nu=0.2` for smaller shares of each stage, `--set units=1` for less at a time.

precision f64

use std.boosting.{boosted, staged, joined, layer, line_search, best_constant}
use std.optim.adam

let small = false
let runs = 5
let stages = if small { 6 } else { 20 }
let units = 3
let nu = 0.5
let inner_steps = if small { 100 } else { 200 }
let joint_steps = if small { 200 } else { 600 }

fn squares(f, y) = 0.5 * (f - y)^2
fn logistic(f, y) = softplus(-y * f)

// 1. Data: Friedman's first function, whose last five inputs say nothing, and tumours.

fn friedman(n) {
  let x = rand(n, 10)
  let y = for v in x { 10.0 * sin(pi * v[0] * v[1]) + 20.0 * (v[2] - 0.5)^2 + 10.0 * v[3] + 5.0 * v[4] - 14.0 }
  {x: sqrt(12.0) * (x - 0.5), y: (y + randn([n])) / 5.0}
}

data cancer = csv("../data/breast_cancer.csv")
let measured = for c in stack(cancer.except{benign}).T { (c - mean(c)) / std(c) }
let tumours = {x: measured.T, y: 2.0 * real(cancer.benign) - 1.0}

/// Parts for fitting, for choosing and for judging.
fn parts(t) {
  let (fit, rest) = split(t, at: 300)
  let (choose, judge) = split(rest, at: 100)
  {fit: fit, choose: choose, judge: judge}
}

let regressions = for i in 0..runs { parts(friedman(700)) }
let classifications = for i in 0..runs {
  let order = argsort(rand(569))
  parts({x: tumours.x[order], y: tumours.y[order]})
}

fn total(loss, f, y) = mean(for (a, b) in (f, y) { loss(a, b) })

// 2. Boosting, and a net of as many units that is trained at once.

/// The losses of each part after each stage.
fn boosting(loss, d) {
  let net = boosted(loss, d.fit.x, d.fit.y, stages, units, adam(lr: 0.03), nu: nu, steps: inner_steps)
  let whole = joined(net .layers)
  let losses = |t| for f in staged(net, t.x) { total(loss, f, t.y) }
  let assembled = for v in d.judge.x { net .start + layer(whole, v) }
  {
    start: total(loss, net .start * ones(len(d.fit.y)), d.fit.y),
    fit: losses(d.fit),
    choose: losses(d.choose),
    judge: losses(d.judge),
    apart: max(abs(assembled - staged(net, d.judge.x)[-1])),
  }
}

/// The loss on the part for judging where that on the part for choosing is least, over the steps.
fn at_once(loss, d, rate) {
  let k = stages * units
  let inputs = shape(d.fit.x)[1]
  let first = {w: randn([inputs, k]) / sqrt(real(inputs)), b: 0.5 * randn([k]), a: randn([k]) / sqrt(real(k)), c: 0.0}
  let o = adam(lr: rate)
  let outputs = |p, t| total(loss, for v in t.x { layer(p, v) }, t.y)
  let end = scan (p = first, s = o.start(first), best = inf, judged = inf) for i in 0..joint_steps {
    let (p2, s2) = o.step(p, grad(outputs(p, d.fit), wrt: p), s)
    let now = outputs(p2, d.choose)
    next (p, s) = (p2, s2)
    next judged = if now < best { outputs(p2, d.judge) } else { judged }
    next best = min(best, now)
  }
  {choose: end.best, judge: end.judged}
}

stage study(loss, sets) = compute {
  let r = for d in sets() { boosting(loss, d) }
  log start = r.start, fit = r.fit, choose = r.choose, judge = r.judge, apart = r.apart
  let at = for d in sets(), rate in [3e-3, 0.01, 0.03] { at_once(loss, d, rate) }
  log joint = for (c, j) in (at.choose, at.judge) { j[argmin(c)] }
}
let of_squares = study(squares, || regressions).log
let of_logistic = study(logistic, || classifications).log

/// For each run the stage that is best on the part for choosing.
fn chosen(l) = for c in l.choose[0] { argmin(c) }

/// The loss on the part for judging at that stage.
fn at_chosen(l) = for (j, k) in (l.judge[0], chosen(l)) { j[k] }

fn by_stage(l) = {fit: mean(l.fit[0], axis: 0), judge: mean(l.judge[0], axis: 0), at_once: mean(l.joint[0]) * ones(stages)}

fn of_runs(l) = {
  stages: chosen(l) + 1,
  boosted: at_chosen(l),
  half_of_the_stages: l.judge[0][.., half],
  all_of_them: l.judge[0][.., -1],
  at_once: l.joint[0],
}

let half = div(stages, 2) - 1

stage show = report {
  text "Losses of the fitted part and of the part for judging, and that of a net trained at once."
  plot by_stage(of_squares), title: "regression: loss by the number of stages, mean of five"
  plot by_stage(of_logistic), title: "the same for tumours"
  table of_runs(of_squares), title: "regression, a row for each draw"
  table of_runs(of_logistic), title: "tumours, a row for each split"
}

test "the sum of layers is one net" { assert all(of_squares.apart[0] < 1e-10) and all(of_logistic.apart[0] < 1e-10) }

test "the loss falls from stage to stage" {
  assert all(diff(of_squares.fit[0]) < 1e-12)
  assert all(of_squares.fit[0][.., 0] < of_squares.start[0])
}

test "the line search" {
  let (f, h, y) = ([0.1, -0.3, 0.5], [1.0, 0.5, -2.0], [1.0, -1.0, 1.0])
  assert close(line_search(squares, y, f, h), dot(h, y - f) / dot(h, h), 1e-12)
  let p = sigmoid(y * f)
  assert close(line_search(logistic, y, f, h), sum((1.0 - p) * y * h) / sum(h * h * p * (1.0 - p)), 1e-12)
  // Two thirds are 1: the log odds are log 2.
  assert close(best_constant(logistic, y), log(2.0), 1e-9)
}

test "on regression it is as good as a net that is trained at once" {
  assert mean(at_chosen(of_squares)) < if small { 1.6 } else { 1.1 } * mean(of_squares.joint[0])
}

test "half of the stages are as good" {
  assert mean(of_squares.judge[0][.., half]) < if small { 1.6 } else { 1.05 } * mean(of_squares.judge[0][.., -1])
  assert mean(of_logistic.judge[0][.., half]) < if small { 1.6 } else { 1.1 } * mean(of_logistic.judge[0][.., -1])
}
