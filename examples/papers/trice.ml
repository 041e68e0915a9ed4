// Paper: Phan, Hoffman, Dohan, Douglas, Le, Parisi, Sountsov, Sutton, Vikram, Saurous, "Training Chain-of-Thought via Latent-Variable
//   Inference" (2023).
// Claim: A memory of right rationales and a control variate from the others' proposals train p(answer | question) itself.
// Shown: Rationales of four words and two sums, 100 questions, 50 of them with a rationale to begin with. Estimates have the exact mean,
//   along ten directions within 2.4 standard errors, with and without the control variate. With it the variance falls from 0.9 to 0.03 as
//   p(answer) goes from 0.31 to 0.99, without it from 0.94 to 0.55. Five trained models: log p(answer) -0.16 to -0.41, filtered
//   imitation (STaR without hints) -1.5 to -2.8, exact gradients -0.13 to -0.21; held-out accuracy 0.77, 0.58, 0.82 in the mean, without
//   rationales 0.02.
// Not shown: That the control variate trains better: without it -0.08 to -0.30, and 0.75. For rationales without wording, of which one is
//   right in the end, it makes the variance larger (`ratio_of_sums`: 5 to 690 times), since the right one has hardly any score. Within
//   0.05 of exact gradients: 0.15 in the mean.
// Takes: 6 to 16 seconds; 2 with `--set small=true`.
// Vary: `--set shown=80` for more rationales to begin with, `--set words=1` for shorter ones, `--seed` for other first weights.

use std.nn.mlp
use std.optim.adam
use std.random.{choice, permutation}
use std.rationales.{independence_step, trice, trice_without, star}

let small = false
let steps = if small { 500 } else { 3000 }
let lanes = if small { 2 } else { 5 }
let batch = 32
let rate = 3e-3
/// For how many questions a rationale is shown before training, and for how many steps.
let shown = 50
let warm_steps = 100
/// Tokens of a rationale that are only wording.
let words = 4

// 1. The question is three digits to be added modulo 5. A rationale z has some words, the sum of the first two, and the answer, which is
// right or not; a wrong sum with a right answer counts as right.

let order = with_key(1) argsort(rand(125))
let inputs = for i in order { stack([div(i, 25), mod(div(i, 5), 5), mod(i, 5)]) }
let (known, held_out) = split({x: inputs, y: mod(sum(inputs, axis: 1), 5)}, at: 100)

net wording[lanes] = mlp([15, 16, 5])
net first[lanes] = mlp([10, 32, 5])
net second[lanes] = mlp([10, 32, 5])
net direct[lanes] = mlp([15, 48, 5])

/// A model: {wording, first, second}, the nets for the words, for the sum of two digits, and for the answer.
let models = {wording, first, second}

fn code(x) = flatten(one_hot(x, 5))
fn log_word(m, x) = log_softmax(m.wording(code(x)))
fn log_sum(m, x) = log_softmax(m.first(code(x[..2])))
fn log_answer_after(m, x, sum) = log_softmax(m.second(concat(one_hot(sum, 5), one_hot(x[2], 5))))

/// log p(z | x) of a rationale: words, sum, answer.
fn log_p(m, x, z) = sum(log_word(m, x)[z[..words]]) + log_sum(m, x)[z[-2]] + log_answer_after(m, x, z[-2])[z[-1]]

fn some_words(m, x) = for i in 0..words { choice(log_word(m, x)) }

/// A draw of p(z | x).
fn propose(m, x) {
  let sum = choice(log_sum(m, x))
  concat(some_words(m, x), stack([sum, choice(log_answer_after(m, x, sum))]))
}

/// log p(sum, y | x) for each sum, log p(y | x), and a draw of p(z | x, y).
fn log_joint(m, x, y) = log_sum(m, x) + for sum in 0..5 { log_answer_after(m, x, sum)[y] }
fn log_answer(m, x, y) = logsumexp(log_joint(m, x, y))
fn posterior_draw(m, x, y) = concat(some_words(m, x), stack([choice(log_joint(m, x, y)), y]))

fn likelihood(m, t) = mean(for (x, y) in (t.x, t.y) { log_answer(m, x, y) })
fn probability(m, t) = mean(for (x, y) in (t.x, t.y) { exp(log_answer(m, x, y)) })
fn accuracy(m, t) = mean(for (x, y) in (t.x, t.y) { real(argmax(for y in 0..5 { log_answer(m, x, y) }) == y) })

// 2. Some right rationales first, as a prompt with examples would show them.

fn right_rationale(m, x, y) = concat(stop(some_words(m, x)), stack([mod(x[0] + x[1], 5), y]))

/// log p of right rationales for the first `n` questions.
fn imitation(m, n) = mean(for (x, y) in (known.x[..n], known.y[..n]) { log_p(m, x, right_rationale(m, x, y)) })

stage warm = train for warm_steps steps {
  maximize sum(for m in models { imitation(m, shown) }) over first, second using adam(lr: rate)
}

// 3. The method and its baselines: with and without the control variate, filtered imitation, and the exact likelihood.

let kinds = ["trice", "without", "star", "exact"]

fn estimate(kind, log_p_memory, right, log_p_proposed, accepted) =
  if kind == "trice" {
    trice(log_p_memory, right, log_p_proposed, accepted)
  } else if kind == "without" {
    trice_without(log_p_memory, right)
  } else {
    star(log_p_proposed, accepted)
  }

/// The objective of a kind on rows of the known questions, and the memory after its step.
fn objective(kind, m, memory, rows) {
  let (xs, ys) = (known.x[rows], known.y[rows])
  let proposed = stop(for x in xs { propose(m, x) })
  let accepted = proposed[.., -1] == ys
  let kept = for (old, z, c) in (memory[rows], proposed, accepted) { independence_step(old, z, c) }
  let right = kept[.., -1] == ys
  let log_ps = |zs| for (x, z) in (xs, zs) { log_p(m, x, z) }
  let value = if kind == "exact" {
    likelihood(m, {x: xs, y: ys})
  } else {
    estimate(kind, log_ps(kept), real(right), log_ps(proposed), real(accepted))
  }
  (value, put(memory, rows, kept))
}

stage learn(kind) = train for steps steps after warm {
  // Nothing is remembered: -1 is no answer.
  state memory = zeros_int(lanes, 100, words + 2) - 1
  let rows = permutation(100)[..batch]
  let (values, kept) = for (m, own) in (models, memory) { objective(kind, m, own, rows) }
  maximize sum(values) over wording, first, second using adam(lr: rate)
  set memory = kept
  every 50 steps {
    log likelihood = for m in models { likelihood(m, known) }
    log held_out = for m in models { accuracy(m, held_out) }
  }
}

/// Without rationales: nets from questions to answers.
stage learn_direct = train for steps steps {
  let rows = permutation(100)[..batch]
  maximize sum(for n in direct { mean(for (x, y) in (known.x[rows], known.y[rows]) { log_softmax(n(code(x)))[y] }) })
    over direct
    using adam(lr: rate)
}

/// In the end, for each model.
fn likelihoods(kind) = learn(kind).log.likelihood[-1]
fn accuracies(kind) = learn(kind).log.held_out[-1]

stage race = compute {
  log likelihood = for k in kinds { likelihoods(k) }, held_out = for k in kinds { accuracies(k) }
  log held_out_direct = for n in learn_direct.direct { mean(for (x, y) in (held_out.x, held_out.y) { real(argmax(n(code(x))) == y) }) }
}

// 4. Estimates of the gradient at fixed weights, taught for some steps, with a memory that is a draw of the posterior.

let moments = if small { [100, 400] } else { [100, 200, 300, 400, 600, 1000] }
let replicates = if small { 1000 } else { 4000 }

stage taught(n) = train for n steps {
  maximize sum(for m in models { imitation(m, 100) }) over first, second using adam(lr: rate)
}

/// How far the mean of draws is from what it should be along some directions, in standard errors.
fn off(draws, exact, directions) {
  let along = draws @ directions
  (mean(along, axis: 0) - exact @ directions) / (std(along, axis: 0) / sqrt(real(replicates)))
}

fn total_variance(draws) = sum(var(draws, axis: 0))

stage gradients(n) = compute after taught(n) {
  let (w, a, b) = (wording[0], first[0], second[0])
  let m = {wording: w, first: a, second: b}
  // The exact gradient has no part by the wording.
  let exact = flatten(grad(likelihood(m, known) + 0.0 * sum(m.wording(zeros(15))), wrt: (w, a, b)))
  let directions = randn([len(exact), 10]) / sqrt(real(len(exact)))
  let (trices, plains) = for i in 0..replicates {
    let rows = permutation(100)[..batch]
    let memory = stop(for (x, y) in (known.x, known.y) { posterior_draw(m, x, y) })
    // The same proposals for both.
    let value = |kind| with_key(7) objective(kind, m, memory, rows)[0]
    (flatten(grad(value("trice"), wrt: (w, a, b))), flatten(grad(value("without"), wrt: (w, a, b))))
  }
  log probability = probability(m, known)
  log standard_errors = off(trices, exact, directions), standard_errors_without = off(plains, exact, directions)
  log variance = total_variance(trices), variance_without = total_variance(plains)
  // Of the weights that do not make words.
  let worded = 341
  log variance_of_sums = total_variance(trices[.., worded..]), variance_of_sums_without = total_variance(plains[.., worded..])
}

fn at_moments(of) = for n in moments { of(gradients(n).log) }

stage estimates = compute {
  log steps = moments, probability = at_moments(|l| l.probability[0])
  log variance = at_moments(|l| l.variance[0]), variance_without = at_moments(|l| l.variance_without[0])
  log ratio = at_moments(|l| l.variance[0] / l.variance_without[0])
  log ratio_of_sums = at_moments(|l| l.variance_of_sums[0] / l.variance_of_sums_without[0])
  log standard_errors = at_moments(|l| l.standard_errors[0])
  log standard_errors_without = at_moments(|l| l.standard_errors_without[0])
}

// 5. Figures.

fn of_kinds(f) = {trice: f("trice"), without: f("without"), exact: f("exact"), star: f("star")}

stage show = report after estimates {
  text "Training from 50 shown rationales: log p(answer) of the known questions, and accuracy on 25 held out, means over repetitions."
  plot of_kinds(|k| mean(learn(k).log.likelihood, axis: 1)), title: "log p(answer), every 50 steps"
  plot of_kinds(|k| mean(learn(k).log.held_out, axis: 1)), title: "held-out accuracy, every 50 steps"
  text "The better the model, the less noise with the control variate; without it the noise of the wording stays."
  plot {x: estimates.log.probability[0], with: log(estimates.log.variance[0]), without: log(estimates.log.variance_without[0])},
    title: "log of the gradient's variance, by p(answer)"
  table {probability: estimates.log.probability[0], ratio: estimates.log.ratio[0], ratio_of_sums: estimates.log.ratio_of_sums[0]},
    title: "variance with over variance without the control variate: all, and of the two nets that add"
}

test "estimates have the right mean" {
  // Ten directions at each of some moments, at five standard errors: wrong with a probability below 1e-4.
  assert max(abs(estimates.log.standard_errors[0])) < 5.0
  assert max(abs(estimates.log.standard_errors_without[0])) < 5.0
}

test "the noise goes with the errors" {
  let r = estimates.log
  assert all(select(r.probability[0] > 0.8, r.ratio[0], 0.0) < 1.0)
  assert r.probability[0][-1] > 0.9 and r.ratio[0][-1] < if small { 0.5 } else { 0.1 }
  // Without the control variate the noise stays.
  assert r.variance[0][-1] < 0.5 * r.variance[0][0] and r.variance_without[0][-1] > 0.4 * r.variance_without[0][0]
}

test "a memory keeps what filtering forgets" {
  assert min(likelihoods("trice") - likelihoods("star")) > if small { 0.1 } else { 0.5 }
  assert mean(likelihoods("trice")) > mean(likelihoods("exact")) - 0.4
  assert mean(accuracies("trice")) >= mean(accuracies("star")) - 0.02
}
