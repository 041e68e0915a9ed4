// Paper: Kim, Ye, "Noise2Score: Tweedie's Approach to Self-Supervised Image Denoising without Clean Images" (2021).
// Claim: One way to learn the score of noisy pictures, without a clean one, and a closed formula for each kind of noise, denoise them.
// Shown: On 397 digits of 8x8 pixels that were not learned from, five repetitions: normal noise 8.0 dB, denoised 14.1 (14.1 to 14.2);
//   Noise2Void, stopped at the best of eight moments, 13.2. Poisson noise 14.4, denoised 17.6; gamma noise 13.3, denoised 17.3. With the
//   sign of the score flipped all are worse than the noise. In one dimension the formulas are exact, that of Poisson noise within 10 %
//   for ten counts or more.
// Not shown: That it comes close to learning from clean pictures: that reaches 17.0 dB here. If sigma is not known, the least total
//   variation takes 0.5 for 0.4, and 13.2 dB.
// Takes: 20 to 60 seconds; 2 with `--set small=true`.
// Vary: `--set sigma=0.2`, `--set zeta=0.05` or `--set k=10.0` for less noise, `--seed` for other noise.

use std.denoising.{score_loss, natural_mean, clean_normal, clean_poisson, clean_gamma, psnr, total_variation}
use std.nn.mlp
use std.optim.adam
use std.random.{gamma_draw, poisson_draw}
use std.schedules.{cosine, linear}

let small = false
let steps = if small { 400 } else { 3000 }
let lanes = if small { 2 } else { 5 }
let hidden = if small { 64 } else { 128 }
/// Normal noise of standard deviation sigma, zeta times a Poisson number, or a gamma number of shape k.
let sigma = 0.4
let zeta = 0.1
let k = 5.0

data digits = csv("../data/digits.csv.gz")
let order = with_key(1) argsort(rand(1797))
// Between 0.1 and 1, so that no mean is 0.
let clean = 0.9 / 16.0 * take(stack(digits.except{label}), order) + 0.1
let learned = 1400

// Noisy pictures, once for each of the repetitions.
state normal_noise = for i in 0..lanes { for x in clean { x + sigma * randn([64]) } }
state poisson_noise = for i in 0..lanes { for x in clean { zeta * poisson_draw(x / zeta) } }
state gamma_noise = for i in 0..lanes { for x in clean { x / k * gamma_draw(full(k, 64)) } }

fn silu(x) = x * sigmoid(x)

net scores[lanes] = mlp([64, hidden, hidden, 64], act: silu)

stage learn(noise) = train for steps steps {
  let size = abs(linear(0.5, 0.02, steps)(step) * randn())
  minimize sum(for (n, ys) in (scores, noise) { mean(for i in randint(0, learned, 64) { score_loss(n, ys[i], size) }) })
    over scores
    using adam(lr: cosine(4e-3, steps))
}

// Noise2Void sees pictures with an eighth of the pixels hidden, and what is hidden, and learns to say what the noisy pixels were; the other
// net is told the clean picture, and sees new noise at each step.

net blind[lanes] = mlp([128, hidden, hidden, 64], act: silu)
net supervised[lanes] = mlp([64, hidden, hidden, 64], act: silu)

fn seen_only(n, y, seen) = n(concat(seen * y, seen))

fn blind_loss(n, y) {
  let seen = real(rand(64) > 0.125)
  dot(1.0 - seen, square(seen_only(n, y, seen) - y))
}

/// Each pixel from the others: eight passes, each with an eighth hidden.
fn fill_in(n, y) = sum(for j in 0..8 {
  let seen = real(mod(iota(64), 8) != j)
  (1.0 - seen) * seen_only(n, y, seen)
}, axis: 0)

stage baselines = train for steps steps {
  minimize sum(for (n, ys) in (blind, normal_noise) { mean(for i in randint(0, learned, 64) { blind_loss(n, ys[i]) }) })
    over blind
    using adam(lr: cosine(4e-3, steps))
  minimize sum(for n in supervised {
    mean(for i in randint(0, learned, 64) { sqnorm(n(clean[i] + sigma * randn([64])) - clean[i]) })
  }) over supervised using adam(lr: cosine(4e-3, steps))
  every div(steps, 8) steps { log void = decibels(|i, y| fill_in(blind[i], y), normal_noise) }
}

/// Of pictures that were not learned from, a mean for each repetition.
fn decibels(denoise, noise) = for (ys, i) in (noise, 0..lanes) {
  mean(for (y, c) in (ys[learned..], clean[learned..]) { psnr(denoise(i, y), c) })
}

fn on_normal(sigma, sign = 1.0) = |i, y| clean_normal(y, sign * learn(normal_noise).scores[i](y), sigma)
fn on_poisson(sign) = |i, y| clean_poisson(y, sign * learn(poisson_noise).scores[i](y), zeta)
fn on_gamma(sign) = |i, y| clip(clean_gamma(y, sign * learn(gamma_noise).scores[i](y), k), 0.0, 1.0)
fn as_it_is(i, y) = y

stage normal_result = compute {
  log noisy = decibels(as_it_is, normal_noise), score = decibels(on_normal(sigma), normal_noise)
  log flipped = decibels(on_normal(sigma, -1.0), normal_noise), sigma_too_large = decibels(on_normal(1.5 * sigma), normal_noise)
  // The best of eight moments, which without clean pictures nobody knows.
  log void = max(baselines.log.void, axis: 0), supervised = decibels(|i, y| baselines.supervised[i](y), normal_noise)
}

stage other_noise = compute {
  log poisson_noisy = decibels(as_it_is, poisson_noise), poisson = decibels(on_poisson(1.0), poisson_noise)
  log poisson_flipped = decibels(on_poisson(-1.0), poisson_noise)
  log gamma_noisy = decibels(as_it_is, gamma_noise), gamma = decibels(on_gamma(1.0), gamma_noise)
  log gamma_flipped = decibels(on_gamma(-1.0), gamma_noise)
}

let sigmas = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]

fn variation(sigma) = mean(for y in normal_noise[0][learned..] { total_variation(reshape(on_normal(sigma)(0, y), 8, 8)) })

stage unknown_sigma = compute {
  log sigma = sigmas, total_variation = for s in sigmas { variation(s) }
  log decibels = for s in sigmas { decibels(on_normal(s), normal_noise)[0] }
}

fn pictures(f) = for i in learned..learned + 8 { reshape(clip(f(i), 0.0, 1.0), 8, 8) }

stage show = report after unknown_sigma {
  text "Clean, noisy, denoised by the score, by a blind-spot net, by a net that was told the clean pictures."
  image pictures(|i| clean[i]), title: "clean"
  image pictures(|i| normal_noise[0][i]), title: "with normal noise"
  image pictures(|i| on_normal(sigma)(0, normal_noise[0][i])), title: "by the score"
  image pictures(|i| fill_in(baselines.blind[0], normal_noise[0][i])), title: "Noise2Void, at the end"
  image pictures(|i| baselines.supervised[0](normal_noise[0][i])), title: "supervised"
  image pictures(|i| poisson_noise[0][i]), title: "with Poisson noise"
  image pictures(|i| on_poisson(1.0)(0, poisson_noise[0][i])), title: "by the score"
  image pictures(|i| gamma_noise[0][i]), title: "with gamma noise"
  image pictures(|i| on_gamma(1.0)(0, gamma_noise[0][i])), title: "by the score"
  plot {x: sigmas, decibels: unknown_sigma.log.decibels[0], total_variation: unknown_sigma.log.total_variation[0]},
    title: "if sigma is not known: decibels and total variation, by the sigma of the formula"
  plot {first: baselines.log.void[.., 0], second: baselines.log.void[.., 1]},
    title: "Noise2Void on pictures not learned from: decibels, eight moments"
}

test "normal noise" {
  let r = normal_result.log
  assert min(r.score[0] - r.noisy[0]) > if small { 1.5 } else { 5.0 }
  assert small or min(r.score[0] - r.void[0]) > 0.5
  assert all(r.flipped[0] < r.noisy[0])
}

test "the same for Poisson and gamma noise" {
  let r = other_noise.log
  assert min(r.poisson[0] - r.poisson_noisy[0]) > if small { 0.5 } else { 2.0 }
  assert min(r.gamma[0] - r.gamma_noisy[0]) > if small { 2.0 } else { 3.0 }
  assert all(r.poisson_flipped[0] < r.poisson_noisy[0])
  assert all(r.gamma_flipped[0] < r.gamma[0] - 1.0)
}

// One number with three possible clean values, in 64 bits, where the posterior is known.

let atoms = f64([0.4, 1.0, 1.8])
let chances = f64([0.3, 0.5, 0.2])

/// The mean of `values` under the posterior of the atoms, and log p(y), of log densities `l` given each atom.
fn posterior_mean(l, values) = dot(softmax(l + log(chances)), values)
fn log_marginal(l) = logsumexp(l + log(chances))

fn gamma_logpdf(y, k) = for x in atoms { (k - 1.0) * log(y) - k * y / x + k * log(k / x) - lgamma(k) }
fn poisson_logpdf(n) = for x in atoms { n * log(10.0 * x) - 10.0 * x - lgamma(n + 1.0) }
fn normal_logpdf(y, s) = for x in atoms { -0.5 * square((y - x) / s) - log(s) - 0.5 * log(2.0 * pi) }

test "the formulas of normal and gamma noise are exact" {
  let ys = f64([0.2, 0.7, 1.3, 2.5])
  let shape = f64(5.0)
  let sigma = f64(0.4)
  let normal_errors = for y in ys {
    let score = grad(log_marginal(normal_logpdf(y, sigma)), wrt: y)
    clean_normal(y, score, sigma) - posterior_mean(normal_logpdf(y, sigma), atoms)
  }
  assert max(abs(normal_errors)) < 1e-12
  let gamma_errors = for y in ys {
    let score = grad(log_marginal(gamma_logpdf(y, shape)), wrt: y)
    let inverse = posterior_mean(gamma_logpdf(y, shape), 1.0 / atoms)
    // The natural parameter of y is -shape / x.
    (clean_gamma(y, score, shape) - 1.0 / inverse, natural_mean(y, score, |y| (shape - 1.0) * log(y)) + shape * inverse)
  }
  assert max(abs(gamma_errors[0])) < 1e-12 and max(abs(gamma_errors[1])) < 1e-11
}

test "the formula of Poisson noise is right for large counts" {
  let counts = f64([10.0, 12.0, 15.0, 20.0, 25.0])
  let (relative, by_robbins, scaled) = for n in counts {
    let score = grad(log_marginal(poisson_logpdf(n)), wrt: n)
    let mean = posterior_mean(poisson_logpdf(n), 10.0 * atoms)
    let robbins = (n + 1.0) * exp(log_marginal(poisson_logpdf(n + 1.0)) - log_marginal(poisson_logpdf(n)))
    let formula = clean_poisson(n, score, f64(1.0))
    // In units of zeta the score is divided by zeta.
    (formula / mean - 1.0, robbins / mean - 1.0, clean_poisson(0.1 * n, score / 0.1, f64(0.1)) - 0.1 * formula)
  }
  assert max(abs(relative)) < 0.1 and max(abs(relative)) > 1e-4
  assert max(abs(by_robbins)) < 1e-12
  assert max(abs(scaled)) < 1e-6
}
