// Paper: Yuan, Zeng, Wu, Wang, Wang and Leqi, "A Common Pitfall of Margin-based Language Model Alignment: Gradient Entanglement" (2024).
// Claim: A loss of the margin moves the chosen and the rejected answer together where their gradients have a large inner product: both
//   may fall.
// Shown: For answers of 24 letters and a linear model of the next letter, 300 pairs of each kind: what a step of DPO does is what the
//   inner product foretells. Wholly different answers never move together; of answers that differ in the last letter 23 % fall and 28 %
//   rise together (cosine 0.95), of a learnt answer and one with another first letter 28 % fall together. Of such a pair 60 steps lower the
//   chosen answer's log probability by 12. With each gradient by its own length none of them does.
// Not shown: Language models, and masks of tokens.
// Takes: A second.
// Vary: `--seed` for other pairs, `--set n=12` for shorter answers, `--set liked=3` for a model that knows them less.

precision f64

use std.preferences.{dpo, ipo, simpo, slic, entanglement, disentangled}

let small = false
let letters = 12
let d = 24
let n = 24
let pairs = if small { 60 } else { 300 }
// Steps by which a model has learnt the chosen answer.
let liked = 10

// 1. A language model: the direction of the sum of what was said, and a trained map from it to the next letter.

let embed = randn([letters, d])

/// The log probability of an answer to a question `h`.
fn logp(w, h, answer: int[n]) {
  let (_, terms) = scan (h = h) for y in answer {
    yield log_softmax(3.0 * h / norm(h) @ w)[y]
    next h = h + embed[y]
  }
  sum(terms)
}

// 2. Pairs of answers, with the weights at which they are compared. Kinds: 0 wholly different answers; 1 answers that differ in the last
// letter; 2 in the first letter; 3 in the first letter, where the model has learnt the chosen one.

fn answer() = randint(0, letters, n)

/// An answer with another letter at one place.
fn changed(y, at) = put(y, at, mod(y[at] + randint(1, letters), letters))

/// Weights after some steps of an answer's likelihood.
fn liking(w, h, y) = scan (w = w) for i in 0..liked { next w = w + 0.1 * grad(logp(w, h, y), wrt: w) }

fn pair_of(kind) {
  let h = randn([d])
  let w = 0.1 * randn([d, letters])
  let chosen = answer()
  let rejected = if kind == 0 { answer() } else { changed(chosen, if kind == 1 { n - 1 } else { 0 }) }
  {h: h, w: if kind == 3 { liking(w, h, chosen) } else { w }, chosen: chosen, rejected: rejected}
}

fn chosen_gradient(p, w) = grad(logp(w, p.h, p.chosen), wrt: w)
fn rejected_gradient(p, w) = grad(logp(w, p.h, p.rejected), wrt: w)
fn margin(p, w) = logp(w, p.h, p.chosen) - logp(w, p.h, p.rejected)

/// The direction of descent on the loss by the weights, where the model at the start is the reference.
fn downhill(p, w) = -grad(dpo(margin(p, w) - stop(margin(p, p.w))), wrt: w)

/// What is foretold of a step at the start, and what a small one does, both per unit of rate.
fn foretold(p) {
  let (up, down) = entanglement(chosen_gradient(p, p.w), rejected_gradient(p, p.w))
  // At margin 0 the slope of the loss is -0.1 sigmoid(0).
  (0.05 * up, 0.05 * down)
}

fn done(p, rate) {
  let w = p.w + rate * downhill(p, p.w)
  ((logp(w, p.h, p.chosen) - logp(p.w, p.h, p.chosen)) / rate, (logp(w, p.h, p.rejected) - logp(p.w, p.h, p.rejected)) / rate)
}

fn inner(p) {
  let (w, l) = (chosen_gradient(p, p.w), rejected_gradient(p, p.w))
  dot(w, l) / (norm(w) * norm(l))
}

/// How the two log probabilities change over `steps` of a direction.
fn course(p, direction, rate, steps) {
  let (_, seen) = scan (w = p.w) for i in 0..steps {
    let after = w + rate * direction(w)
    next w = after
    yield {
      chosen: logp(after, p.h, p.chosen) - logp(p.w, p.h, p.chosen),
      rejected: logp(after, p.h, p.rejected) - logp(p.w, p.h, p.rejected),
    }
  }
  seen
}

fn by_margin(p) = course(p, |w| downhill(p, w), 0.02, 60)
fn by_lengths(p) = course(p, |w| disentangled(chosen_gradient(p, w), rejected_gradient(p, w)), 0.02, 60)

stage study(kind) = compute {
  let r = for i in 0..pairs {
    let p = pair_of(kind)
    let (up, down) = foretold(p)
    let (went_up, went_down) = done(p, 1e-5)
    {inner: inner(p), up: up, down: down, went_up: went_up, went_down: went_down}
  }
  log inner = r.inner, up = r.up, down = r.down, went_up = r.went_up, went_down = r.went_down
}

let studies = {
  different: study(0).log,
  last_letter: study(1).log,
  first_letter: study(2).log,
  learnt: study(3).log,
}

fn share(b) = mean(real(b))

/// The shares of pairs whose chosen answer is foretold to fall, and whose rejected one to rise.
fn together(s) = stack([share(s.up[0] < 0.0), share(s.down[0] > 0.0)])

fn of_each(f) = stack([f(studies.different), f(studies.last_letter), f(studies.first_letter), f(studies.learnt)])

/// A pair of the last kind whose answers both fall.
stage example = compute {
  let ps = for i in 0..50 { pair_of(3) }
  let worst = argmin(for p in ps { foretold(p)[0] })
  let p = ps[worst]
  let (m, l) = (by_margin(p), by_lengths(p))
  log chosen = m.chosen, rejected = m.rejected, chosen_by_lengths = l.chosen, rejected_by_lengths = l.rejected
}

stage show = report {
  text "Rows: different answers, another last letter, another first letter, another first letter of a learnt answer."
  table {
    inner: of_each(|s| mean(s.inner[0])),
    both_fall: of_each(|s| together(s)[0]),
    both_rise: of_each(|s| together(s)[1]),
  }, title: "cosine of the gradients, and shares of pairs that fall and rise together"
  plot {chosen: example.log.chosen[0], rejected: example.log.rejected[0]},
    title: "change of the log probabilities by the step, of a pair that falls together: by the margin"
  plot {chosen: example.log.chosen_by_lengths[0], rejected: example.log.rejected_by_lengths[0]},
    title: "the same pair: each gradient by its own length"
}

test "a step does what the gradients foretell" {
  fn near(s) = max(abs(s.up[0] - s.went_up[0])) < 1e-3 and max(abs(s.down[0] - s.went_down[0])) < 1e-3
  assert near(studies.different) and near(studies.last_letter) and near(studies.first_letter) and near(studies.learnt)
}

test "answers fall and rise together as foretold, and often enough to tell" {
  fn agree(s) = all(sign(s.up[0]) == sign(s.went_up[0]) or abs(s.up[0]) < 1e-3)
  assert agree(studies.different) and agree(studies.last_letter) and agree(studies.first_letter) and agree(studies.learnt)
  assert together(studies.learnt)[0] > 0.15
  assert together(studies.last_letter)[1] > 0.15
}

test "different answers are not entangled, similar ones are" {
  assert abs(mean(studies.different.inner[0])) < 0.2
  assert together(studies.different)[0] == 0.0 and together(studies.different)[1] == 0.0
  assert mean(studies.last_letter.inner[0]) > 0.6 and mean(studies.first_letter.inner[0]) > 0.6
}

test "each gradient by its own length never moves them together" {
  let p = for i in 0..pairs { pair_of(3) }
  let (up, down) = for q in p {
    let (w, l) = (chosen_gradient(q, q.w), rejected_gradient(q, q.w))
    (dot(disentangled(w, l), w), dot(disentangled(w, l), l))
  }
  assert min(up) > 0.0 and max(down) < 0.0
  assert all(example.log.chosen_by_lengths[0] > 0.0) and all(example.log.rejected_by_lengths[0] < 0.0)
  assert all(example.log.chosen[0] < 0.0) and all(example.log.rejected[0] < 0.0)
}

test "losses and their slopes" {
  let m = 0.7
  assert close(grad(dpo(m, beta: 0.5), wrt: m), -0.5 * sigmoid(-0.35), 1e-12)
  assert close(grad(ipo(m, beta: 0.5), wrt: m), 2.0 * (0.7 - 1.0), 1e-12)
  assert close(grad(slic(m), wrt: m), -1.0, 0.0) and slic(2.0) == 0.0
  let (w, l) = (-4.0, -9.0)
  let (gw, gl) = grad(simpo(w, l, 4.0, 6.0), wrt: (w, l))
  // The margin per token is -1 + 1.5.
  assert close(gw, -2.0 / 4.0 * sigmoid(0.5 - 1.0), 1e-12) and close(gl, 2.0 / 6.0 * sigmoid(0.5 - 1.0), 1e-12)
}
