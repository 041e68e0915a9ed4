// Paper: Tyurin, "From Logistic Regression to the Perceptron Algorithm: Exploring Gradient Descent with Large Step Sizes" (2024).
// Claim: With large steps gradient descent on the logistic loss becomes the batch perceptron, and separates sooner although its loss is higher.
// Shown: The limit, to the last digits; fewer iterations on five random sets and on a hard one, where the loss first rises a hundredfold;
//   the form whose rate is divided by the mean weight of the examples.
// Not shown: The rates of the theorems, which are upper bounds.
// Takes: A second.
// Vary: `--seed` for other sets, `--set margin=0.05` for easier ones.

precision f64

use std.perceptrons.{logistic_step, normalized_logistic_step, perceptron_step, iterates, until_separated}

let margin = 0.02
let rates = [1.0, 10.0, 100.0, 1e4, 1e6, 1e9]

/// Unit rows times labels, at least about `margin` from a plane.
fn separable(n, d, margin) {
  let unit = |v| v / norm(v)
  let normal = unit(randn([d]))
  for i in 0..n {
    let x = unit(randn([d]))
    let a = sign(dot(x, normal)) * x
    unit(a + max(margin - dot(a, normal), 0.0) * normal)
  }
}

state sets = for i in 0..5 { separable(60, 8, margin) }

/// Nine easy examples that pull the wrong way, and one that they must give way to.
let hard = concat(for i in 0..9 { [1.0, 0.02] }, [[-1.0, 0.3]])

fn descent(rate) = |a, w| logistic_step(a, w, rate)
fn normalized(rate) = |a, w| normalized_logistic_step(a, w, rate)
fn loss(a, w) = mean(softplus(-(a @ w)))

/// The largest distance, over 40 steps, from iterates of descent divided by the rate to those of the perceptron.
fn distance(a, rate) {
  let limit = iterates(perceptron_step, a, 40)
  max(abs(iterates(descent(rate), a, 40) / rate - limit))
}

/// How many steps it takes, a row for each rate and a column for each set.
fn counts(rates) = for rate in rates, a in sets { until_separated(descent(rate), a).steps }

stage limit = compute {
  log rate = rates, distance = for rate in rates { max(for a in sets { distance(a, rate) }) }
}

stage race = compute {
  let descents = counts(rates)
  log rate = rates, iterations = descents, median_iterations = for c in descents { median(real(c)) }
  log normalized_iterations = for a in sets { until_separated(normalized(1.0), a).steps }
}

stage on_the_hard_set = compute {
  log rate = rates, iterations = for rate in rates { until_separated(descent(rate), hard).steps }
  log highest_loss = for rate in rates { max(for w in iterates(descent(rate), hard, 50) { loss(hard, w) }) }
  log normalized_iterations = until_separated(normalized(1.0), hard).steps
}

stage show = report after on_the_hard_set {
  text "How far iterates of descent, divided by the rate, are from those of the perceptron (largest of 40 steps and five sets)."
  table {rate: rates, distance: limit.log.distance[0]}, title: "the limit"
  text "Steps until a plane separates: rows are rates, columns sets."
  table race.log.iterations[0], title: "steps until separated"
  plot {loss_at_rate_1: losses(1.0), loss_at_rate_1000: losses(1000.0)}, title: "loss on the hard set: the large rate peaks, and is done first"
}

fn losses(rate) = for w in iterates(descent(rate), hard, 50) { loss(hard, w) }

test "iterates divided by the rate go to the perceptron's" {
  let d = limit.log.distance[0]
  assert d[-1] < 1e-12
  assert d[1] > 0.1
  // The last two are equal to the last digits.
  assert all(d[1..-1] < d[..-2])
}

test "large steps separate sooner" {
  let r = race
  let m = r.log.median_iterations[0]
  assert m[3] < m[0] / 10.0
  assert median(real(r.log.normalized_iterations[0])) < m[0] / 2.0
}

test "a loss that rises a hundredfold does not hinder" {
  let h = on_the_hard_set
  assert real(h.log.iterations[0][3]) < real(h.log.iterations[0][0]) / 20.0
  assert h.log.highest_loss[0][3] > 100.0 * h.log.highest_loss[0][0]
}
