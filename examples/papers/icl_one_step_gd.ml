// Paper: Mahankali, Hashimoto, Ma, "One Step of Gradient Descent is Provably the Optimal In-Context Learner with One Layer of Linear
//   Self-Attention" (2023).
// Claim: Trained on linear regression in context, a layer of linear attention becomes one step of gradient descent at the best rate.
// Shown: Five layers each, of full query, key and value matrices, come within 0.25 % of the closed form of the risk (1.4405) and within
//   6e-4 of the step in relative mean square; skewed inputs are preconditioned by the inverse covariance (cosine above 0.999); for
//   targets that are bent by relu it is still one step, at another rate. The step at the rate 1 / n is measurably worse (1.81).
// Not shown: That the minimum is unique. Layers whose values start far from 0 may stay on a plateau for more than these steps.
// Takes: 25 seconds; 2 with `--set small=true`.
// Vary: `--seed` for other first weights and prompts, `--set noise=2.0` or `--set n=10` for other tasks.

use std.in_context.{linear_attention, effective_matrix, gradient_step, best_rate, step_risk}
use std.linalg.{eye, inverse, trace}
use std.optim.adam
use std.schedules.cosine

let small = false
let n = 20
let d = 5
let noise = 0.5
let steps = if small { 1500 } else { 2000 }
let batch = if small { 64 } else { 256 }
let prompts = if small { 4000 } else { 20000 }

let rate = best_rate(n, d, noise)
let theory = step_risk(rate, n, d, noise)

net models[if small { 2 } else { 5 }] = linear_attention(n, d)

/// Skewed inputs are rows of z @ mix.
let mix = [
  [1.5, 0.0, 0.0, 0.0, 0.0],
  [0.4, 0.6, 0.0, 0.0, 0.0],
  [0.0, 0.3, 1.0, 0.0, 0.0],
  [0.2, 0.0, 0.0, 0.7, 0.0],
  [0.0, 0.0, 0.5, 0.0, 1.2],
]
let covariance = transpose(mix) @ mix

/// Examples, a query and what should be told of it, where y = f(x w) with noise.
fn prompt(f) {
  let (w, x, query) = (randn([d]), randn([n, d]), randn([d]))
  {x, y: f(x @ w) + noise * randn([n]), query, answer: f(dot(query, w)) + noise * randn()}
}

fn linear() = prompt(|a| a)
fn bent() = prompt(relu)

/// Of inputs with the covariance S, and weights with its inverse.
fn skewed() {
  let p = prompt(|a| a)
  {..p, x: p.x @ mix, query: p.query @ mix}
}

fn loss(m, draw, k) = mean(for i in 0..k {
  let p = draw()
  (m(p.x, p.y, p.query) - p.answer)^2
})

stage learn(draw) = train for steps steps {
  minimize sum(for m in models { loss(m, draw, batch) }) over models using adam(lr: cosine(2e-2, steps))
  every 20 steps { log mean_diagonal = for m in models { trace(effective_matrix(m, n, d)) / d } }
}

/// How the five layers differ from a step at the rate `r` that sees `seen(x)` in the place of x: the mean square of the difference over
/// that of the step's prediction, and the excess of the squared error, on the same prompts.
fn compared(draw, seen, r) {
  let (told, step, answer) = for m in models, i in 0..prompts {
    let p = draw()
    (m(p.x, p.y, p.query), gradient_step(seen(p.x), p.y, p.query, r), p.answer)
  }
  for (a, b, c) in (told, step, answer) {
    {difference: mean((a - b)^2) / mean(b^2), excess: mean((a - c)^2) - mean((b - c)^2)}
  }
}

stage on_linear = compute after learn(linear) {
  let c = compared(linear, |x| x, rate)
  log theory = theory, risk = theory + c.excess, difference = c.difference
  log matrix = for m in models { effective_matrix(m, n, d) }
  log difference_at_rate_1_over_n = compared(linear, |x| x, 1.0 / n).difference
  log risk_at_rate_1_over_n = step_risk(1.0 / n, n, d, noise)
}

stage on_skewed = compute after learn(skewed) {
  let c = compared(skewed, |x| x @ inverse(covariance), rate)
  log risk = theory + c.excess, difference = c.difference
  log cosine_to_inverse = for m in models { cosine_of(effective_matrix(m, n, d), inverse(covariance)) }
  log cosine_to_identity = for m in models { cosine_of(effective_matrix(m, n, d), eye(d)) }
}

fn cosine_of(a, b) = sum(a * b) / (norm(a) * norm(b))

/// The best rate for bent targets, by regression of the answers on the step's predictions.
stage on_bent = compute after learn(bent) {
  let (step, answer) = for i in 0..10 * prompts {
    let p = bent()
    (gradient_step(p.x, p.y, p.query, 1.0), p.answer)
  }
  let r = dot(step, answer) / dot(step, step)
  let c = compared(bent, |x| x, r)
  log rate = r, difference = c.difference, excess = c.excess, risk = mean((r * step - answer)^2)
}

fn diagonals() = learn(linear).log.mean_diagonal / rate

stage show = report after on_bent {
  text "What multiplies y_i x_i query, over the best rate, for the first two layers on standard normal inputs: it goes to 1."
  plot {x: 20.0 * real(iota(len(diagonals()))), first: diagonals()[.., 0], second: diagonals()[.., 1]}, title: "the learned rate, by step"
  text "The matrix between inputs and query, in units of the best rate: the identity. Times the covariance for skewed inputs."
  image for m in learn(linear).models { effective_matrix(m, n, d) / rate }, title: "learned on standard normal inputs"
  image for m in learn(skewed).models { effective_matrix(m, n, d) / rate }, title: "learned on skewed inputs"
  image for m in learn(skewed).models { effective_matrix(m, n, d) @ covariance / rate }, title: "the same, times the covariance"
  table {
    one_step: on_linear.log.difference[0], preconditioned: on_skewed.log.difference[0], bent: on_bent.log.difference[0],
    rate_1_over_n: on_linear.log.difference_at_rate_1_over_n[0],
  }, title: "mean square of the difference to one step, over that of the step"
  table {theory: full(theory, len(models)), standard: on_linear.log.risk[0], skewed: on_skewed.log.risk[0]}, title: "squared error"
}

test "one step at the best rate" {
  let r = on_linear
  assert max(r.log.difference[0]) < 0.01
  assert max(abs(r.log.risk[0] - theory)) < 0.01 * theory
  assert min(r.log.difference_at_rate_1_over_n[0]) > 0.02
  assert max(r.log.risk[0]) < 0.9 * step_risk(1.0 / n, n, d, noise)
}

test "skewed inputs are preconditioned" {
  let r = on_skewed
  assert max(r.log.difference[0]) < 0.01
  assert min(r.log.cosine_to_inverse[0]) > 0.99
  assert max(r.log.cosine_to_identity[0]) < 0.9
}

test "one step for bent targets too, at another rate" {
  // In small form a layer may still be on the plateau that it starts on.
  let differences = on_bent.log.difference[0]
  assert if small { min(differences) < 0.05 } else { max(differences) < 0.01 }
  assert on_bent.log.rate[0] < 0.9 * rate
}

test "the risk of a step" {
  let errors = for i in 0..100000 {
    let p = linear()
    (gradient_step(p.x, p.y, p.query, rate) - p.answer)^2
  }
  // Five standard errors of the mean.
  assert abs(mean(errors) - theory) < 5.0 * std(errors) / sqrt(100000.0)
  assert close(grad(step_risk(rate, n, d, noise), wrt: rate), 0.0, 1e-3)
}
