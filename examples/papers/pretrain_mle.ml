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
let d = 50
let r = 3
let noise = 0.5
let many = if small { 1000 } else { 2000 }
let draws = if small { 18 } else { 60 }
let labeled = [60, 100, 200]
let unlabeled = [60, 200, 600, 2000]
let penalties = exp(linspace(-3.0, 9.0, 40))

/// Factor models: x = z loadings' + noise of variance 1, y = z weights + noise; or, where pretraining has nothing to go by, y = x along
/// a direction that no factor has.
fn factor_model() {
  let loadings = randn([d, r])
  let normal = randn([d])
  let aside = normal - loadings @ least_squares(loadings, normal)
  {loadings, weights: randn([r]), aside: aside / norm(aside)}
}

state worlds = for i in 0..draws { factor_model() }

fn second_moment(world) = world.loadings @ transpose(world.loadings) + eye(d)

/// The weights on x of the best prediction E[y | x].
fn best(world, informative) = if informative { solve(second_moment(world), world.loadings @ world.weights) } else { world.aside }

/// What a prediction x w + b loses against the best, in mean square.
fn excess(world, informative, w, b) {
  let error = w - best(world, informative)
  dot(error, second_moment(world) @ error) + b^2
}

fn rows(world, n, informative) {
  let z = randn([n, r])
  let x = z @ transpose(world.loadings) + randn([n, d])
  {x, y: (if informative { z @ world.weights } else { x @ world.aside }) + noise * randn([n])}
}

/// Excess risks with `n` labeled rows after pretraining on `m`, of least squares on x, and of ridge regression with the best of all
/// penalties, which only an oracle knows.
fn compare(world, n, m, informative) {
  let table = rows(world, n, informative)
  let model = ppca(rows(world, m, informative).x, r)
  let projection = ppca_projection(model)
  let centred = for row in table.x { row - model .mean }
  let w = projection @ least_squares(centred @ projection, table.y)
  {
    pretrained: excess(world, informative, w, -dot(model .mean, w)),
    least_squares: excess(world, informative, least_squares(table.x, table.y), 0.0),
    ridge: min(for p in penalties { excess(world, informative, ridge(table.x, table.y, p), 0.0) }),
  }
}

fn standard_error(v) = std(v, axis: 1, ddof: 1) / sqrt(real(draws))

fn raced(informative) = for n in labeled { for w in worlds { compare(w, n, many, informative) } }

stage race(informative) = compute {
  let e = raced(informative)
  log n = labeled, pretrained = e.pretrained, least_squares = e.least_squares, ridge = e.ridge
  log mean_pretrained = mean(e.pretrained, axis: 1), mean_least_squares = mean(e.least_squares, axis: 1)
  log mean_ridge = mean(e.ridge, axis: 1)
  log error_pretrained = standard_error(e.pretrained), error_ridge = standard_error(e.ridge)
}

stage more_unlabeled = compute {
  let e = for m in unlabeled { for w in worlds { compare(w, 60, m, true).pretrained } }
  log m = unlabeled, excess = mean(e, axis: 1), error = standard_error(e)
}

/// Mixtures of four balls in ten dimensions, each with its own label.
let k = 4
let dims = 10
let pool = if small { 400 } else { 1500 }
state mixtures = for i in 0..div(draws, 6) {
  {mixture: {weights: full(1.0 / k, k), means: 1.2 * randn([k, dims]), variance: 1.0}, labels: randn([k])}
}

fn mixture_rows(world, n) {
  let part = randint(0, k, n)
  {x: world.mixture.means[part] + randn([n, dims]), y: world.labels[part] + noise * randn([n])}
}

fn posteriors(m, x) = for row in x { exp(mixture_posterior(m, row)[0]) }

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

fn log10(x) = log(x) / log(10.0)

stage show = report after mixture_race {
  text "Labels that follow the factors. Logarithms to the base of 10 of mean excess risks over that of the best prediction."
  plot {
    x: log10([60.0, 100.0, 200.0]), pretrained: log10(race(true).log.mean_pretrained[0]),
    ridge_by_oracle: log10(race(true).log.mean_ridge[0]), least_squares: log10(race(true).log.mean_least_squares[0]),
  }, title: "excess risk by labeled rows (log10)"
  text "Labels that follow a direction without factor: pretraining keeps what does not matter, and loses."
  plot {
    x: log10([60.0, 100.0, 200.0]), pretrained: log10(race(false).log.mean_pretrained[0]),
    ridge_by_oracle: log10(race(false).log.mean_ridge[0]), least_squares: log10(race(false).log.mean_least_squares[0]),
  }, title: "excess risk where the factors do not tell (log10)"
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
  let m = ppca(rows(worlds[0], 500, true).x, r)
  let x = randn([d])
  // E[z | x] = W' (W W' + variance I)^-1 (x - mean)
  let direct = transpose(m.loadings) @ solve(m.loadings @ transpose(m.loadings) + m.variance * eye(d), x)
  assert close(x @ ppca_projection(m), direct, 1e-12)
}

test "principal components are the maximum of the likelihood" {
  let x = rows(worlds[0], 500, true).x
  let m = ppca(x, r)
  let loss = |w, v| logdet(w @ transpose(w) + v * eye(d)) + trace(solve(w @ transpose(w) + v * eye(d), covariance(x)))
  let (w, v) = (m.loadings, m.variance)
  let (dw, dv) = grad(loss(w, v), wrt: (w, v))
  assert max(abs(dw)) < 1e-10 and abs(dv) < 1e-9
}
