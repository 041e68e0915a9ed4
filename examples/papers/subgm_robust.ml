// Paper: Ma and Fattahi, "Global Convergence of Sub-gradient Method for Robust Matrix Recovery: Small Initialization, Noisy Measurements,
//   and Over-parameterization" (2022).
// Claim: From a small start the subgradient method on absolute errors finds a low-rank matrix in spite of gross errors and of an assumed
//   rank that is far too high.
// Shown: Rank 2 of 20, 800 measurements, a fifth of them grossly wrong, five problems: from 1e-7 the relative error is 1e-6 to 2e-6 with
//   20 columns, as with 2. With 20 columns it grows with the start (1e-2 from 1); with 2 it does not. Least squares end at 0.3 to 0.8 where
//   they are stopped at their best.
// Not shown: Shares of errors near 1: with half of the measurements wrong 800 are too few (0.3 to 0.6). With two columns from 1e-7, one
//   problem of twenty had not left its start when the steps had become small (0.05).
// Takes: Some ten seconds.
// Vary: `--seed` for other problems, `--set wrong=0.3` for more errors, `--set m=1600` for more measurements.

precision f64

use std.robust.{recovered, measured, absolute_loss, absolute_slope, sign_mean, relative_error}

let small = false
let d = if small { 12 } else { 20 }
let rank_of_truth = 2
let m = if small { 600 } else { 800 }
let sets = 5
let steps = 1200
let starts = [1e-7, 1e-5, 1e-3, 0.1, 1.0]
// The share of measurements that are wrong.
let wrong = 0.2
let shares = [0.1, 0.3, if small { 0.8 } else { 0.5 }]

/// Measurements of a matrix of low rank; in those that are `wrong` there is an error of standard deviation 10.
fn sensing() {
  let v = randn([d, rank_of_truth]) / sqrt(real(d))
  let a = randn([m, d, d])
  {a: a, v: v, luck: rand(m), noise: 10.0 * randn([m]), start: randn([d, d]) / sqrt(real(d))}
}

fn seen(p, share) = measured(p.a, p.v) + select(p.luck < share, p.noise, 0.0)

let problems = for i in 0..sets { sensing() }

/// The relative error along the way from a start of scale `alpha` with `k` columns.
fn errors(p, k, alpha, share) {
  let error = |u| relative_error(u @ u.T, p.v @ p.v.T)
  recovered(p.a, seen(p, share), alpha * p.start[.., 0..k], steps, watch: error).watched
}

/// Descent on half the mean square of the errors: the least relative error along the way.
fn least_squares(p, rate, share) {
  let y = seen(p, share)
  let end = scan (u = 1e-3 * p.start, best = inf) for t in 0..steps {
    let s = reshape((measured(p.a, u) - y) @ reshape(p.a, m, d * d), d, d) / real(m)
    next u = u - rate * (s + s.T) @ u
    next best = min(best, relative_error(u @ u.T, p.v @ p.v.T))
  }
  end.best
}

/// Axes: problems, starts, steps.
stage recover(k) = compute { log error = for p in problems, alpha in starts { errors(p, k, alpha, wrong) } }

let exact = recover(rank_of_truth).log.error[0]
let full = recover(d).log.error[0]

stage contrast = compute {
  log of_squares = for p in problems { min(for rate in [0.01, 0.03, 0.1] { least_squares(p, rate, wrong) }) }
  log by_share = for p in problems, s in shares { errors(p, d, starts[0], s)[-1] }
}

stage show = report {
  plot {
    from_1em7: log(full[0, 0]) / log(10.0),
    from_1em5: log(full[0, 1]) / log(10.0),
    from_1em3: log(full[0, 2]) / log(10.0),
    from_1em1: log(full[0, 3]) / log(10.0),
    from_1: log(full[0, 4]) / log(10.0),
  }, title: "log10 of the relative error by the step, all columns, from starts of five scales (first problem)"
  table {start: starts, all_columns: median(full[.., .., -1], axis: 0), two_columns: median(exact[.., .., -1], axis: 0)},
    title: "relative error in the end (median of five problems)"
  table {wrong: shares, error: median(contrast.log.by_share[0], axis: 0)}, title: "by the share of wrong measurements"
  table {least_squares: contrast.log.of_squares[0], absolute: full[.., 0, -1]}, title: "against least squares, a row for each problem"
}

test "the subgradient is the language's derivative" {
  let p = problems[0]
  let y = seen(p, wrong)
  let u = p.start[.., 0..3]
  assert close(absolute_slope(p.a, y, u), grad(absolute_loss(p.a, y, u), wrt: u), 1e-10)
}

test "a small start recovers the matrix, whatever the number of columns" {
  assert all(full[.., 0, -1] < 1e-5)
  // From 1e-7 with two columns a weak direction is sometimes still small when the steps have become so.
  assert all(median(exact[.., .., -1], axis: 0) < 1e-5)
}

test "with too many columns the error grows with the start" {
  assert all(full[.., 4, -1] > 1e3 * full[.., 0, -1])
  assert all(full[.., 2.., -1] > full[.., 1..-1, -1])
}

test "least squares do not recover it" { assert all(contrast.log.of_squares[0] > 0.2) }

test "there is a share of wrong measurements that is too much" {
  let errors = median(contrast.log.by_share[0], axis: 0)
  assert errors[0] < 1e-5 and errors[1] < 1e-5
  assert errors[2] > 0.01
}

test "the mean of signs points to the matrix, and errors only shorten it" {
  let n = 8000
  let a = randn([n, 10, 10])
  let x = randn([10, 2])
  let y = x @ x.T - outer(x[.., 0], x[.., 0])
  let r = reshape(a, n, 100) @ reshape(y, 100)
  let clean = sign_mean(a, r)
  let soiled = sign_mean(a, r - select(rand(n) < 0.2, 10.0 * randn([n]), 0.0))
  // Their length is off by 0.6 / sqrt(8000), and 100 directions of noise leave a cosine of 0.98: six standard errors each.
  let c = norm(y) / sqrt(square(norm(y)) + 100.0)
  assert close(dot(clean, y) / norm(y), sqrt(2.0 / pi), 0.04)
  assert close(dot(soiled, y) / norm(y), sqrt(2.0 / pi) * (0.8 + 0.2 * c), 0.05)
  assert dot(soiled, y) / (norm(y) * norm(soiled)) > 0.95
}
