// Paper: Jiang, Qin, Wu, Chen, Yang, Zhang, "Learning Unnormalized Statistical Models via Compositional Optimization" (2023).
// Claim: A running mean of the partition function makes maximum likelihood of an unnormalized model a single loop, faster than contrast.
// Shown: With the running mean known the derivative is unbiased, that of a batch's own mean is not. The mean of a normal density at equal
//   rates: after 100 steps errors of 0.39, 1.17, 2.23 for true means 2, 4, 6 against 1.01, 1.98, 2.97 of contrast (rate 0.02), and below
//   0.16 at the end. Energies of three bumps from four draws a step, at the best of three rates: KL 0.18 (0.12 to 0.30), 0.96 with the
//   batch's own mean, which diverges at the other rates.
// Not shown: An advantage over contrast at the best rate of each: the normal mean is learned as soon by contrast at the rate 0.5,
//   energies to 0.23 (0.13 to 0.35). With 64 draws the batch's own mean does better than the running one. The running mean fails where
//   noise does not cover the density: at a true mean of 6 it runs away with noise of width 1, and at rates from 0.1 also of width 4.
// Takes: 2 to 5 seconds.
// Vary: `--set width=3.0` for narrower noise, `--set gamma=0.5` for a shorter memory, `--seed` for other draws.

use std.compositional.{tracked, log_mean, negative_log_likelihood, plug_in_likelihood, noise_contrastive}
use std.nn.mlp
use std.optim.{sgd, clip_value, adam}
use std.testing.unbiased

let small = false
// The memory of the running mean u of the weights f / q.
let gamma = 0.1

// 1. A normal density exp(theta x - x^2 / 2) / Z, whose theta is the mean, and normal noise q around 0. Three methods on the same draws:
// `running`, the paper's; `batch`, the mean of the batch's weights alone in the place of Z; `contrast`, noise-contrastive estimation.
// Rows are true means, columns repetitions.

let width = 4.0
let batch_size = 64
let rates = [0.02, 0.1, 0.5]
let steps = 1000
let truths = [2.0, 4.0, 6.0]

param mean_running = zeros(3, 5)
param mean_batch = zeros(3, 5)
param mean_contrast = zeros(3, 5)
// What contrast learns to be log Z.
param c = zeros(3, 5)

fn log_f(x, theta) = theta * x - 0.5 * square(x)
fn log_q(x, width) = -0.5 * square(x / width) - log(width) - 0.5 * log(2.0 * pi)
fn log_w(x, theta, width) = log_f(x, theta) - log_q(x, width)

/// The losses of the three methods for one mean each, and the new log u, after draws of the data and of noise.
fn losses(width, theta, batch, contrast, c, log_u, data, noise) {
  let u = tracked(log_u, log_w(noise, theta, width), gamma)
  {
    log_u: u,
    running: negative_log_likelihood(log_f(data, theta), log_w(noise, theta, width), u),
    batch: plug_in_likelihood(log_f(data, batch), log_w(noise, batch, width)),
    contrast: noise_contrastive(log_f(data, contrast), log_q(data, width), log_f(noise, contrast), log_q(noise, width), c),
  }
}

stage learn(width, rate) = train for steps steps {
  state log_u = full(0.5 * log(2.0 * pi), 3, 5)
  let fresh = for mu in truths, i in 0..5 { {x: mu + randn([batch_size]), noise: width * randn([batch_size])} }
  let l = for row in (mean_running, mean_batch, mean_contrast, c, log_u, fresh) {
    for (t, b, k, z, u, d) in row { losses(width, t, b, k, z, u, d.x, d.noise) }
  }
  let o = clip_value(10.0) |> sgd(lr: rate)
  minimize sum(l.running) over mean_running using o
  minimize sum(l.batch) over mean_batch using o
  minimize sum(l.contrast) over mean_contrast, c using o
  set log_u = l.log_u
  every 10 steps { log running = mean_running, batch = mean_batch, contrast = mean_contrast }
}

/// Magnitudes of errors, the mean of five repetitions for each true mean; after 100 steps, and in the end.
fn error(v) = for (row, mu) in (v, truths) { mean(abs(row - mu)) }
fn early(course) = error(course[9])
fn late(course) = error(mean(course[-30..], axis: 0))

/// `of` takes a method's course from the log. Axes: rates, true means.
stage errors(of) = compute {
  log rate = rates, truth = truths
  log early = for r in rates { early(of(learn(width, r).log)) }
  log late = for r in rates { late(of(learn(width, r).log)) }
}

let of_running = errors(|l| l.running).log
let of_batch = errors(|l| l.batch).log
let of_contrast = errors(|l| l.contrast).log

let with_narrow_noise = learn(1.0, 0.1).log

stage narrow_noise = compute { log running = late(with_narrow_noise.running), contrast = late(with_narrow_noise.contrast) }

// 2. Three bumps in the plane, and a net n for log f; the noise is normal with standard deviation 2. The same three methods, with so few
// draws in a step that the mean of a batch is a bad partition function.

let few = 4
let net_rates = if small { [1e-2] } else { [1e-3, 3e-3, 1e-2] }
let net_steps = if small { 500 } else { 1500 }
let bumps = [[-2.0, -1.0], [2.0, -1.0], [0.0, 1.5]]

fn bump_draw() = bumps[randint(0, 3)] + 0.4 * randn([2])
fn log_truth(x) = logmeanexp(for b in bumps { -0.5 * sqnorm(x - b) / 0.16 - log(2.0 * pi * 0.16) })
fn log_noise(x) = -0.125 * sqnorm(x) - log(8.0 * pi)

net running[5] = mlp([2, 32, 32, 1], act: silu)
net batches[5] = mlp([2, 32, 32, 1], act: silu)
net contrast[5] = mlp([2, 32, 32, 1], act: silu)
param log_z = zeros(5)

fn log_fs(n, points) = for x in points { n(x)[0] }
fn log_qs(points) = for x in points { log_noise(x) }

/// As `losses`, for three nets.
fn net_losses(running, batch, contrast, log_z, log_u, data, noise) {
  let log_w = |n| log_fs(n, noise) - log_qs(noise)
  let u = tracked(log_u, log_w(running), gamma)
  {
    log_u: u,
    running: negative_log_likelihood(log_fs(running, data), log_w(running), u),
    batch: plug_in_likelihood(log_fs(batch, data), log_w(batch)),
    contrast: noise_contrastive(log_fs(contrast, data), log_qs(data), log_fs(contrast, noise), log_qs(noise), log_z),
  }
}

stage energies(rate) = train for net_steps steps {
  state log_u = zeros(5)
  let x = for i in 0..5, j in 0..few { bump_draw() }
  let noise = for i in 0..5, j in 0..few { 2.0 * randn([2]) }
  let l = for (r, b, k, z, u, xs, zs) in (running, batches, contrast, log_z, log_u, x, noise) { net_losses(r, b, k, z, u, xs, zs) }
  minimize sum(l.running) over running using adam(lr: rate)
  minimize sum(l.batch) over batches using adam(lr: rate)
  minimize sum(l.contrast) over contrast, log_z using adam(lr: rate)
  set log_u = l.log_u
  every 100 steps {
    log running = for n in running { kl_from_truth(n) }, batch = for n in batches { kl_from_truth(n) }
    log contrast = for n in contrast { kl_from_truth(n) }
  }
}

let grid = for x in linspace(-5.0, 5.0, 81), y in linspace(-5.0, 5.0, 81) { stack([x, y]) }
let cell = square(0.125)

fn on_grid(f) = for row in grid { for x in row { f(x) } }

/// KL(truth, model), where the net's density is normalized on the grid.
fn kl_from_truth(n) {
  let log_f = on_grid(|x| n(x)[0])
  let log_p = log_f - logsumexp(log_f) - log(cell)
  let log_t = on_grid(log_truth)
  sum(exp(log_t) * (log_t - log_p)) * cell
}

/// Axes: rates, nets.
stage nets = compute {
  log rate = net_rates
  log running = for r in net_rates { energies(r).log.running[-1] }
  log batch = for r in net_rates { energies(r).log.batch[-1] }
  log contrast = for r in net_rates { energies(r).log.contrast[-1] }
}

// 3. Figures.

fn log10(x) = log(x) / log(10.0)

/// How the methods learn the mean of a row's first repetition.
fn course(log, row) = {running: log.running[.., row, 0], batch: log.batch[.., row, 0], contrast: log.contrast[.., row, 0]}

/// The logarithm of the mean KL of five nets.
fn mean_kl(kl) = log10(mean(kl, axis: 1))

fn density(n) {
  let log_f = on_grid(|x| n(x)[0])
  exp(log_f - max(log_f))
}

let at_last_rate = energies(net_rates[-1])

stage show = report after nets {
  text "Errors of the mean after 100 and 1000 steps (magnitudes): rows are rates 0.02, 0.1, 0.5 with true means 2, 4, 6."
  table {
    running: flatten(of_running.early[0]), batch: flatten(of_batch.early[0]), contrast: flatten(of_contrast.early[0]),
    running_late: flatten(of_running.late[0]), batch_late: flatten(of_batch.late[0]), contrast_late: flatten(of_contrast.late[0]),
  }, title: "errors of the mean"
  text "A true mean of 4 at the rate 0.02."
  plot course(learn(width, 0.02).log, 1), title: "the learned mean, every ten steps"
  text "Noise as narrow as the data never comes where its weights matter: the running mean is too small, and the learned mean runs away."
  plot course(with_narrow_noise, 2).except{batch}, title: "a true mean of 6, noise of width 1"
  text "Energies of three bumps, learned from four draws a step."
  plot {running: mean_kl(at_last_rate.log.running), batch: mean_kl(at_last_rate.log.batch), contrast: mean_kl(at_last_rate.log.contrast)},
    title: "KL(truth, model), log10, mean of five nets, at the largest rate"
  image stack([density(at_last_rate.running[0]), density(at_last_rate.contrast[0])]),
    title: "learned densities: running mean, contrast"
}

// 4. Tests.

fn normal_weights(t, n) = log_w(3.0 * randn([n]), t, 3.0)

test "with the right running mean the derivative has the right mean" {
  let t = 1.0
  // log Z = theta^2 / 2 + log(2 pi) / 2, so its derivative is theta.
  let log_z = 0.5 * t^2 + 0.5 * log(2.0 * pi)
  assert unbiased(|i| grad(log_mean(normal_weights(t, 4), stop(log_z)), wrt: t), truth: 1.0)
  assert unbiased(|i| grad(logmeanexp(normal_weights(t, 4)), wrt: t), truth: 1.0).biased
}

test "the running mean" {
  let log_w = log([1.0, 3.0])
  assert close(exp(tracked(log(4.0), log_w, 0.25)), 3.5, 1e-5)
}

test "at one rate it is ahead of contrast" {
  // The slowest rate, true means 2 and 4.
  assert all(of_running.early[0][0] < 0.85 * of_contrast.early[0][0])
  assert all(of_running.early[0][1] < 0.85 * of_contrast.early[0][1])
  assert max(of_running.late[0][0]) < 0.3
}

test "noise as narrow as the data fails" {
  assert narrow_noise.log.running[0][2] > 50.0
  assert narrow_noise.log.contrast[0][2] > 1.0
}

test "few draws a step" {
  let r = nets.log
  let best = |v| min(mean(v[0], axis: 1))
  assert best(r.running) < best(r.batch) / 3.0
  assert best(r.running) < if small { 0.8 } else { 0.4 }
}
