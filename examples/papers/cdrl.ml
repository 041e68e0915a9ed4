// Paper: Zhu, Xie, Wu and Gao, "Learning Energy-Based Models by Cooperative Diffusion Recovery Likelihood" (2024).
// Claim: Along a ladder of noise an energy and a first guess learn from each other: the guess shortens the energy's walks.
// Shown: Points around eight places, six rungs, eight Langevin steps each, five pairs of nets: squared discrepancies from the data of
//   -0.0003 to 0.0003 together (fresh data: -0.0003), -0.0001 to 0.0010 where walks start from the noisy point, 0.005 to 0.006 for the
//   guess alone, 0.01 to 0.14 for an energy without a ladder by as many steps (noise: 0.04). Over three seeds together is a little better
//   than walks from the noisy point, 0.0000 to 0.0002 against 0.0003 to 0.0005 in the mean. A quadratic energy recovers a variance within 5
//   %.
// Not shown: That the guess allows fewer steps: with two or four a rung training is not stable here, with the guess or without. Pictures,
//   guidance by classes, and averages of the parameters.
// Takes: Some 30 seconds.
// Vary: `--seed` for other nets, `--set langevin=16` for longer walks, `--set levels=4` for fewer rungs.

use std.metrics.kernel_discrepancy
use std.nn.mlp
use std.optim.{adam, clip_norm}
use std.recovery.{ladder, climbed, recovered_by, energy_contrast}
use std.schedules.cosine

let small = false
let steps = if small { 250 } else { 4000 }
let runs = 5
let width = 32
let batch = 64
let rate = 4e-3
let judged = if small { 300 } else { 1000 }
// Langevin steps at each rung, of the size b sigma; c sigma is the noise that is added to a first guess.
let langevin = 8
let b = 0.3
let c = 1.0

// 1. Data, and a ladder of noise: x_{k+1} = shrink_k x_k + sigma_k noise. To recover is y_k = shrink_k x_k.

/// Points around eight places on a circle; both coordinates have variance 1.
fn point() {
  let angle = real(randint(0, 8)) * pi / 4.0
  sqrt(2.0) * stack([cos(angle), sin(angle)]) + 0.15 * randn([2])
}

let levels = 6
let rungs = ladder(levels, low: 0.15, high: 0.9)
// What is left of a point of the data at each rung.
let left = cumprod(rungs.shrink) / rungs.shrink

/// A point of the data at a random rung and one above it: {x, y, k, sigma}, where y is to be recovered from x.
fn lesson() {
  let k = randint(0, levels)
  let below = left[k] * point() + sqrt(1.0 - left[k]^2) * randn([2])
  let y = rungs.shrink[k] * below
  {x: y + rungs.sigma[k] * randn([2]), y: y, k: k, sigma: rungs.sigma[k]}
}

// 2. The method: an energy f(y, k) and a first guess g(x, k). The guess starts the energy's walk, and learns where that ends; the
// energy learns to tell the end from the data.

net energy[runs] = mlp([6 + levels, width, width, 1], act: silu)
net guess[runs] = mlp([6 + levels, width, width, 2], act: silu)

/// What nets see of a point: without waves the small ones here learn a ring.
fn waves(x: real[2]) = concat(x, sin(3.0 * x), cos(3.0 * x))
fn seen(x, k) = concat(waves(x), one_hot(k, levels))

fn energy_of(n) = |y, k| n(seen(y, k))[0]
fn guess_of(n) = |x, k| x + n(seen(x, k))

/// The losses of f and of g on a lesson l: each learns from what the other has made.
fn cooperate(f, g, l) {
  let start = g(l.x, l.k)
  let walked = stop(recovered_by(f, stop(start) + c * l.sigma * randn([2]), l.x, l.k, l.sigma, langevin, b))
  (energy_contrast(f, l.y, walked, l.k), sqnorm(walked - start) / l.sigma^2)
}

// 3. Baselines: an energy whose walks start from the noisy point, and an energy with no ladder, by walks from noise.

net alone[runs] = mlp([6 + levels, width, width, 1], act: silu)
net plain[runs] = mlp([6, width, width, 1], act: silu)

fn noisy_point(x, k) = x

fn plain_energy(n) = |x| n(waves(x))[0] - 0.5 * sqnorm(x)
fn short_run(f, x) = scan (x = x) for i in 0..langevin { next x = x + 0.02 * grad(f(x), wrt: x) + 0.2 * randn([2]) }

fn each(losses) = sum(losses) / real(batch)

stage fit = train for steps steps {
  let o = clip_norm(10.0) |> adam(lr: cosine(rate, steps))
  let (of_energy, of_guess) = for (e, g) in (energy, guess), i in 0..batch { cooperate(energy_of(e), guess_of(g), lesson()) }
  minimize each(of_energy) over energy using o
  minimize each(of_guess) over guess using o
  let of_alone = for e in alone, i in 0..batch { cooperate(energy_of(e), noisy_point, lesson())[0] }
  minimize each(of_alone) over alone using o
  let of_plain = for e in plain, i in 0..batch {
    let f = plain_energy(e)
    let x = stop(short_run(f, randn([2])))
    f(x) - f(point())
  }
  minimize each(of_plain) over plain using o
}

// 4. What they draw, and how far it is from the data. Axes: nets, points.

let truth = for i in 0..judged { point() }

stage draw = compute after fit {
  log by_both = for (e, g) in (energy, guess), i in 0..judged { climbed(energy_of(e), guess_of(g), rungs, randn([2]), langevin, b, c) }
  log by_guess = for (e, g) in (energy, guess), i in 0..judged { climbed(energy_of(e), guess_of(g), rungs, randn([2]), 0, b, c) }
  log by_energy = for e in alone, i in 0..judged { climbed(energy_of(e), noisy_point, rungs, randn([2]), langevin, b, 0.0) }
  log without_ladder = for e in plain, i in 0..judged { short_run(plain_energy(e), randn([2])) }
}

fn kernel(x, y) {
  let d = sqnorm(x - y)
  (exp(-d / 0.02) + exp(-d / 0.18) + exp(-0.5 * d)) / 3.0
}

fn off(x) = kernel_discrepancy(x, truth, kernel)
fn of_nets(drawn) = for x in drawn[0] { off(x) }

stage judge = compute {
  log both = of_nets(draw.log.by_both), guess = of_nets(draw.log.by_guess)
  log energy = of_nets(draw.log.by_energy), without_ladder = of_nets(draw.log.without_ladder)
  log fresh = off(for i in 0..judged { point() }), noise = off(randn([judged, 2]))
}

// 5. Figures.

/// A picture of points between -2.2 and 2.2, dark where they are many.
fn picture(x: real[n, 2]) {
  let cells = int(clip(floor((x + 2.2) / 4.4 * 64.0), 0.0, 63.0))
  let counts = bincount(64 * (63 - cells[.., 1]) + cells[.., 0], 64 * 64)
  reshape(1.0 - min(real(counts) / 4.0, 1.0), 64, 64)
}

fn of_first(drawn) = picture(drawn[0][0])

stage show = report {
  text "The data; the energy and the guess together; the energy from the noisy point; the guess alone; an energy without a ladder."
  image grid(stack([
    picture(truth),
    of_first(draw.log.by_both),
    of_first(draw.log.by_energy),
    of_first(draw.log.by_guess),
    of_first(draw.log.without_ladder),
  ])), title: "1000 points by the first nets"
  table {
    together: judge.log.both[0],
    energy: judge.log.energy[0],
    guess: judge.log.guess[0],
    without_ladder: judge.log.without_ladder[0],
  }, title: "squared discrepancy from the data, a row for each of five nets"
}

// 6. Tests.

test "a quadratic energy recovers the variance" {
  // Points of variance 2, seen through noise of 0.5: what is recovered has the variance 1.5.
  let shrink = sqrt(0.75)
  let (_, seen) = scan (a = 2.0) for i in 0..250 {
    let f = |y, k| -0.5 * a * sqnorm(y)
    let asked = mean(for j in 0..256 {
      let y = shrink * sqrt(2.0) * randn([1])
      let x = y + 0.5 * randn([1])
      energy_contrast(f, y, stop(recovered_by(f, x, x, 0, 0.5, 100, 0.3)), 0)
    })
    next a = a - grad(asked, wrt: a)
    yield a
  }
  // The mean of 150 steps has a standard error of about 1 %.
  assert close(1.0 / mean(seen[100..]), 1.5, 0.075)
}

test "walks end where they should" {
  let x = [1.0]
  let f = |y, k| -0.5 * sqnorm(y)
  let ends = for i in 0..20000 { recovered_by(f, zeros(1), x, 0, 0.5, 250, 0.3)[0] }
  // Precision 1 + 4; steps of s^2 = 0.0225 make the variance 1 / 5 / (1 - s^2 5 / 4). Six standard errors.
  assert abs(mean(ends) - 0.8) < 0.02
  assert abs(var(ends) - 0.2 / (1.0 - 0.0225 * 1.25)) < 0.013
}

test "the ladder keeps variances" {
  assert close(square(rungs.shrink) + square(rungs.sigma), ones(levels), 1e-6)
  let x = for i in 0..20000 { lesson().x[0] }
  assert abs(var(x) - 1.02) < 0.07
}

test "together they draw better than either, and than an energy without a ladder" {
  let j = judge.log
  assert mean(j.both[0]) < if small { 0.95 * j.noise[0] } else { 0.002 }
  assert mean(j.both[0]) < mean(j.guess[0])
  assert small or mean(j.both[0]) < mean(j.energy[0])
  assert small or mean(j.both[0]) < 0.5 * mean(j.without_ladder[0])
}
