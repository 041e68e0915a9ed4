// Paper: Ge, Tang, Fan, Jin, "On the Provable Advantage of Unsupervised Pretraining" (2023).
// Claim: Features fitted by maximum likelihood to many unlabeled rows let a regression do with few labeled ones.
// Shown: A factor model in 50 dimensions, 2000 unlabeled rows, 60 draws: with 60, 100, 200 labeled rows the excess risk is 0.016, 0.011,
//   0.007, of ridge regression with the best penalty 0.039, 0.026, 0.016, of least squares 1.9, 0.31, 0.11. It falls with unlabeled rows
//   (60: 0.059; 2000: 0.019) and about as 1 / n. Where labels follow a direction without factor the advantage is gone (1.0 against 0.08).
//   A mixture of four balls with 30 labeled rows: 0.03; fitted to the same 30 rows 0.06, least squares 0.4.
// Not shown: The bounds of the theorems, which hold for any such pair of model classes and are not attained here.
// Takes: 10 to 30 seconds; 5 with `--set small=true`.
// Vary: `--seed` for other draws, `--set r=6` or `--set d=30` for other factor models.

precision f64

use std.latent.{covariance, ppca, ppca_projection, mixture_em, mixture_posterior, least_squares, ridge}
use std.linalg.{eye, logdet, trace}

let small = false
let draws = if small { 18 } else { 60 }

// The paper: m unlabeled rows x, n labeled rows (x, y). What is learnt from the first makes features of the second.

// 1. Factor models: x = B z + noise of variance 1, z of r dimensions; y = beta z + gamma x + noise.

let d = 50
let r = 3
let noise = 0.5
let many = if small { 1000 } else { 2000 }
let labeled = [60, 100, 200]
let unlabeled = [60, 200, 600, 2000]

/// {loadings: B, by_factors: a beta, off_factors: a gamma along a direction that no factor has}.
fn factor_model() {
  let loadings = randn([d, r])
  let normal = randn([d])
  let off_factors = normal - loadings @ least_squares(loadings, normal)
  {loadings, by_factors: randn([r]), off_factors: off_factors / norm(off_factors)}
}

state worlds = for i in 0..draws { factor_model() }

/// Labels that follow the factors; or, if not `informative`, labels for which pretraining has nothing to go by.
fn task(world, informative) = {
  loadings: world.loadings,
  beta: if informative { world.by_factors } else { zeros(r) },
  gamma: if informative { zeros(d) } else { world.off_factors },
}

fn rows(task, n) {
  let z = randn([n, r])
  let x = z @ transpose(task.loadings) + randn([n, d])
  {x, y: z @ task.beta + x @ task.gamma + noise * randn([n])}
}

/// E[x x'].
fn second_moment(task) = task.loadings @ transpose(task.loadings) + eye(d)

/// The w of the best prediction E[y | x] = w x.
fn best(task) = solve(second_moment(task), task.loadings @ task.beta) + task.gamma

/// What the prediction w x + b loses against the best, in mean square.
fn excess(task, w, b) {
  let error = w - best(task)
  dot(error, second_moment(task) @ error) + b^2
}

// 2. The method: features are the posterior means of z under a model fitted to unlabeled rows, and a regression on them.

/// The excess risk with the labeled rows `table` after pretraining on unlabeled ones.
fn pretrained(task, unlabeled, table) {
  let fitted = ppca(unlabeled, r)
  let projection = ppca_projection(fitted)
  let centred = for row in table.x { row - fitted.mean }
  let w = projection @ least_squares(centred @ projection, table.y)
  excess(task, w, -dot(fitted.mean, w))
}

// 3. Baselines on the labeled rows alone.

/// Ridge regression with the best of these penalties for each draw, which only an oracle knows.
let penalties = exp(linspace(-3.0, 9.0, 40))

fn by_oracle(task, table) = min(for p in penalties { excess(task, ridge(table.x, table.y, p), 0.0) })

fn compare(task, n, m) {
  let table = rows(task, n)
  {
    pretrained: pretrained(task, rows(task, m).x, table),
    least_squares: excess(task, least_squares(table.x, table.y), 0.0),
    ridge: by_oracle(task, table),
  }
}

fn standard_error(v) = std(v, axis: 1, ddof: 1) / sqrt(real(draws))

/// Axes: labeled rows, draws.
fn raced(informative) = for n in labeled { for w in worlds { compare(task(w, informative), n, many) } }

stage race(informative) = compute {
  let e = raced(informative)
  log n = labeled, pretrained = e.pretrained, least_squares = e.least_squares, ridge = e.ridge
  log mean_pretrained = mean(e.pretrained, axis: 1), mean_least_squares = mean(e.least_squares, axis: 1)
  log mean_ridge = mean(e.ridge, axis: 1)
  log error_pretrained = standard_error(e.pretrained), error_ridge = standard_error(e.ridge)
}

stage more_unlabeled = compute {
  let e = for m in unlabeled { for w in worlds { compare(task(w, true), 60, m).pretrained } }
  log m = unlabeled, excess = mean(e, axis: 1), error = standard_error(e)
}

// 4. Mixtures of k balls in ten dimensions, each ball with its own label.

let k = 4
let dims = 10
let pool = if small { 400 } else { 1500 }

state mixtures = for i in 0..div(draws, 6) {
  {mixture: {weights: full(1.0 / k, k), means: 1.2 * randn([k, dims]), variance: 1.0}, labels: randn([k])}
}

fn mixture_rows(world, n) {
  let ball = randint(0, k, n)
  {x: world.mixture.means[ball] + randn([n, dims]), y: world.labels[ball] + noise * randn([n])}
}

/// The features: how likely it is that a row came from each ball.
fn posteriors(mixture, x) = for row in x { exp(mixture_posterior(mixture, row)[0]) }

/// Excess risks with 30 labeled rows: of a regression on the posteriors of a mixture fitted to `pool` rows or to the same 30, and on x.
fn compare_mixtures(world) {
  let table = mixture_rows(world, 30)
  let test_set = mixture_rows(world, 2000).x
  let truth = posteriors(world.mixture, test_set) @ world.labels
  let by_mixture = |m| mean((posteriors(m, test_set) @ ridge(posteriors(m, table.x), table.y, 0.1) - truth)^2)
  {
    pretrained: by_mixture(mixture_em(mixture_rows(world, pool).x, k)),
    same_rows: by_mixture(mixture_em(table.x, k)),
    least_squares: mean((test_set @ least_squares(table.x, table.y) - truth)^2),
  }
}

stage mixture_race = compute {
  let e = for w in mixtures { compare_mixtures(w) }
  log pretrained = e.pretrained, same_rows = e.same_rows, least_squares = e.least_squares
}

// 5. Figures.

fn log10(x) = log(x) / log(10.0)

/// Mean excess risks by labeled rows, as log10.
fn course(race) = {
  x: log10(real(stack(labeled))), pretrained: log10(race.mean_pretrained[0]), ridge_by_oracle: log10(race.mean_ridge[0]),
  least_squares: log10(race.mean_least_squares[0]),
}

stage show = report after mixture_race {
  text "Labels that follow the factors. Logarithms to the base of 10 of mean excess risks over that of the best prediction."
  plot course(race(true).log), title: "excess risk by labeled rows (log10)"
  text "Labels that follow a direction without factor: pretraining keeps what does not matter, and loses."
  plot course(race(false).log), title: "excess risk where the factors do not tell (log10)"
  plot {x: log10(real(stack(unlabeled))), excess: log10(more_unlabeled.log.excess[0])},
    title: "excess risk with 60 labeled rows, by unlabeled ones (log10)"
  text "Each row is a mixture of four balls, with 30 labeled rows."
  table {
    pretrained: mixture_race.log.pretrained[0], same_rows: mixture_race.log.same_rows[0],
    least_squares: mixture_race.log.least_squares[0],
  }, title: "excess risk in mixtures"
}

test "pretraining does with few labels" {
  let r = race(true).log
  let (pretrained, oracle) = (r.mean_pretrained[0], r.mean_ridge[0])
  assert all(pretrained < if small { 0.9 } else { 0.65 } * oracle)
  assert all(pretrained < if small { 0.2 } else { 0.1 } * r.mean_least_squares[0])
  let slope = log(pretrained[2] / pretrained[0]) / log(200.0 / 60.0)
  assert small or slope > -1.5 and slope < -0.5
}

test "unlabeled rows help" {
  let e = more_unlabeled.log.excess[0]
  assert small or all(e[1..] < 1.1 * e[..-1])
  assert e[-1] < 0.6 * e[0]
}

test "nothing is gained where the factors do not tell" {
  let r = race(false).log
  assert min(r.mean_pretrained[0]) > 0.9
  assert all(r.mean_pretrained[0] > 2.0 * r.mean_ridge[0])
}

test "mixtures" {
  let r = mixture_race.log
  assert mean(r.pretrained[0]) < mean(r.least_squares[0]) / 3.0
  assert small or mean(r.pretrained[0]) < 0.8 * mean(r.same_rows[0])
}

test "the features are posterior means" {
  let m = ppca(rows(task(worlds[0], true), 500).x, r)
  let x = randn([d])
  // E[z | x] = W' (W W' + variance I)^-1 (x - mean)
  let direct = transpose(m.loadings) @ solve(m.loadings @ transpose(m.loadings) + m.variance * eye(d), x)
  assert close(x @ ppca_projection(m), direct, 1e-12)
}

test "principal components are the maximum of the likelihood" {
  let x = rows(task(worlds[0], true), 500).x
  let m = ppca(x, r)
  let loss = |w, v| logdet(w @ transpose(w) + v * eye(d)) + trace(solve(w @ transpose(w) + v * eye(d), covariance(x)))
  let (w, v) = (m.loadings, m.variance)
  let (dw, dv) = grad(loss(w, v), wrt: (w, v))
  assert max(abs(dw)) < 1e-10 and abs(dv) < 1e-9
}
