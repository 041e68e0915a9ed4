// Convergence on a quadratic bowl in 400 steps and in Rosenbrock's valley. The least places are (0.5, 1) and (1, 1).

precision f64

use std.optim.{sgd, momentum, nesterov, subgradient, polyak, coordinate_descent}
use std.optim.{adagrad, adadelta, rmsprop, adam, adamw, amsgrad, nadam, radam, adabelief, lion}
use std.optim.{lars, lamb, adafactor, shampoo, muon, lbfgs, sophia, natural, dog, dowg, prodigy}
use std.optim.{sam, lookahead, ema, swa, schedule_free, schedule_free_adamw, on_plateau}
use std.optim.{proximal, fista, projected, mirror_descent, exponentiated, ftrl}
use std.optim.{soft_threshold, shrink, ridge, box, ball, simplex_of}
use std.optim.{clip_norm, clip_value, clip_ratio, normalized, centralized, weight_decay, noise, average, scale}
use std.schedules

fn bowl(x) = 0.5 * dot(x - [0.5, 1.0], [[2.0, 0.5], [0.5, 1.0]] @ (x - [0.5, 1.0]))
fn valley(x) = square(1.0 - x[0]) + 100.0 * square(x[1] - square(x[0]))

/// Where the optimizer `o` comes to, and what it keeps.
fn go(f, o, start, steps) = scan (q = start, s = o.start(start)) for i in 0..steps {
  next (q, s) = o.step(q, grad(f(q), wrt: q), s, f: f)
}
fn down(f, o, start, steps) = go(f, o, start, steps).q
fn in_bowl(o) = down(bowl, o, [2.0, -1.0], 400)
fn in_valley(o, steps) = down(valley, o, [-1.2, 1.0], steps)

test "bowl" {
  assert close(in_bowl(sgd(lr: 0.1)), [0.5, 1.0], 1e-9)
  assert close(in_bowl(momentum(lr: 0.05)), [0.5, 1.0], 1e-8)
  assert close(in_bowl(nesterov(lr: 0.05)), [0.5, 1.0], 1e-9)
  assert close(in_bowl(subgradient(lr: |t| 1.0 / (real(t) + 1.0))), [0.5, 1.0], 1e-2)
  assert close(in_bowl(polyak()), [0.5, 1.0], 1e-9)
  assert close(in_bowl(coordinate_descent()), [0.5, 1.0], 1e-9)
  assert close(in_bowl(adagrad(lr: 1.0)), [0.5, 1.0], 1e-9)
  assert close(in_bowl(adadelta(lr: schedules.linear(1.0, 0.0, 400), eps: 1e-3)), [0.5, 1.0], 1e-3)
  assert close(in_bowl(rmsprop(lr: schedules.cosine(0.1, 400))), [0.5, 1.0], 1e-9)
  assert close(in_bowl(adam(lr: schedules.cosine(0.1, 400))), [0.5, 1.0], 1e-6)
  assert close(in_bowl(adamw(lr: schedules.cosine(0.1, 400), decay: 1e-9)), [0.5, 1.0], 1e-6)
  assert close(in_bowl(amsgrad(lr: 0.1)), [0.5, 1.0], 1e-6)
  assert close(in_bowl(nadam(lr: schedules.cosine(0.1, 400))), [0.5, 1.0], 1e-6)
  assert close(in_bowl(radam(lr: schedules.cosine(0.1, 400))), [0.5, 1.0], 1e-2)
  assert close(in_bowl(adabelief(lr: schedules.cosine(0.1, 400))), [0.5, 1.0], 1e-6)
  assert close(in_bowl(lion(lr: schedules.linear(0.05, 0.0, 400))), [0.5, 1.0], 1e-3)
  assert close(in_bowl(lars(lr: schedules.linear(1.0, 0.0, 400), trust: 0.02)), [0.5, 1.0], 1e-2)
  assert close(in_bowl(lamb(lr: schedules.linear(0.05, 0.0, 400))), [0.5, 1.0], 1e-2)
  assert close(in_bowl(adafactor(lr: schedules.linear(0.1, 0.0, 400))), [0.5, 1.0], 1e-2)
  assert close(in_bowl(shampoo(lr: 0.5)), [0.5, 1.0], 1e-9)
  assert close(in_bowl(lbfgs()), [0.5, 1.0], 1e-9)
  assert close(in_bowl(sophia(lr: schedules.linear(0.1, 0.0, 400), scale: 1.0, every: 1)), [0.5, 1.0], 1e-2)
  assert close(in_bowl(natural(|q, v| [[2.0, 0.5], [0.5, 1.0]] @ v)), [0.5, 1.0], 1e-9)
  assert close(in_bowl(dog(first: 1e-3)), [0.5, 1.0], 1e-9)
  assert close(in_bowl(dowg()), [0.5, 1.0], 1e-9)
  assert close(in_bowl(prodigy(lr: schedules.cosine(1.0, 400))), [0.5, 1.0], 1e-6)
  assert close(in_bowl(sam(rho: 1e-6, inner: momentum(lr: 0.05))), [0.5, 1.0], 1e-5)
  assert close(in_bowl(lookahead(adam(lr: 0.1))), [0.5, 1.0], 1e-9)
  assert close(in_bowl(schedule_free(sgd(lr: 0.2))), [0.5, 1.0], 1e-2)
  assert close(in_bowl(schedule_free_adamw(lr: 0.1)), [0.5, 1.0], 1e-3)
  assert close(in_bowl(on_plateau(sgd(lr: 0.3))), [0.5, 1.0], 1e-9)
  assert close(in_bowl(proximal(lr: 0.1, prox: ridge(0.0))), [0.5, 1.0], 1e-9)
  assert close(in_bowl(fista(lr: 0.1, prox: ridge(0.0))), [0.5, 1.0], 1e-8)
  assert close(in_bowl(projected(sgd(lr: 0.1), onto: box(-2.0, 2.0))), [0.5, 1.0], 1e-9)
  assert close(in_bowl(mirror_descent(lr: 0.1, to: asinh, back: sinh)), [0.5, 1.0], 1e-9)
  assert close(in_bowl(ftrl(lr: 1.0)), [0.5, 1.0], 1e-9)
  assert close(in_bowl(clip_norm(1.0) |> sgd(lr: 0.1)), [0.5, 1.0], 1e-9)
  assert close(in_bowl(clip_value(1.0) |> sgd(lr: 0.1)), [0.5, 1.0], 1e-9)
  assert close(in_bowl(clip_ratio(0.5) |> sgd(lr: 0.1)), [0.5, 1.0], 1e-9)
  assert close(in_bowl(normalized() |> sgd(lr: schedules.linear(0.1, 0.0, 400))), [0.5, 1.0], 1e-3)
  assert close(in_bowl(scale(0.5) |> sgd(lr: 0.2)), [0.5, 1.0], 1e-9)
  assert close(in_bowl(average(0.5) |> sgd(lr: 0.1)), [0.5, 1.0], 1e-9)
}

test "valley" {
  assert close(in_valley(sgd(lr: 1e-3), 30000), [1.0, 1.0], 1e-4)
  assert close(in_valley(momentum(lr: 2e-4), 8000), [1.0, 1.0], 1e-2)
  assert close(in_valley(nesterov(lr: 2e-4), 8000), [1.0, 1.0], 1e-2)
  assert close(in_valley(subgradient(lr: schedules.exponential(0.1, 0.5, steps: 4000)), 40000), [1.0, 1.0], 1e-3)
  assert close(in_valley(polyak(), 8000), [1.0, 1.0], 1e-9)
  assert close(in_valley(coordinate_descent(), 20000), [1.0, 1.0], 1e-9)
  assert close(in_valley(adagrad(lr: 0.5), 20000), [1.0, 1.0], 1e-5)
  assert close(in_valley(adadelta(lr: schedules.linear(1.0, 0.0, 20000), decay: 0.99), 20000), [1.0, 1.0], 1e-3)
  assert close(in_valley(rmsprop(lr: schedules.cosine(0.01, 8000)), 8000), [1.0, 1.0], 1e-2)
  assert close(in_valley(adam(lr: schedules.cosine(0.05, 4000)), 4000), [1.0, 1.0], 1e-3)
  assert close(in_valley(adamw(lr: schedules.cosine(0.05, 4000), decay: 1e-9), 4000), [1.0, 1.0], 1e-3)
  assert close(in_valley(amsgrad(lr: 0.05), 20000), [1.0, 1.0], 1e-9)
  assert close(in_valley(nadam(lr: schedules.cosine(0.05, 4000)), 4000), [1.0, 1.0], 1e-3)
  assert close(in_valley(clip_norm(1.0) |> radam(lr: schedules.cosine(0.05, 4000)), 4000), [1.0, 1.0], 1e-3)
  assert close(in_valley(adabelief(lr: schedules.cosine(0.05, 4000)), 4000), [1.0, 1.0], 1e-3)
  assert close(in_valley(lion(lr: schedules.linear(0.01, 0.0, 8000)), 8000), [1.0, 1.0], 1e-2)
  assert close(in_valley(lars(lr: schedules.linear(1.0, 0.0, 8000)), 8000), [1.0, 1.0], 1e-3)
  assert close(in_valley(lamb(lr: schedules.linear(0.02, 0.0, 8000)), 8000), [1.0, 1.0], 1e-3)
  assert close(in_valley(adafactor(lr: schedules.linear(0.02, 0.0, 8000)), 8000), [1.0, 1.0], 1e-2)
  assert close(in_valley(shampoo(lr: 0.5), 20000), [1.0, 1.0], 1e-5)
  assert close(in_valley(lbfgs(), 60), [1.0, 1.0], 1e-9)
  assert close(in_valley(sophia(lr: schedules.linear(0.1, 0.0, 8000), scale: 0.1, every: 1), 8000), [1.0, 1.0], 2e-2)
  assert close(in_valley(natural(|q, v| hvp(valley(q), wrt: q, along: v)), 50), [1.0, 1.0], 1e-9)
  assert close(in_valley(dog(first: 1e-3), 40000), [1.0, 1.0], 1e-3)
  assert close(in_valley(dowg(), 20000), [1.0, 1.0], 1e-2)
  assert close(in_valley(prodigy(lr: schedules.cosine(1.0, 8000)), 8000), [1.0, 1.0], 1e-9)
  assert close(in_valley(sam(rho: 1e-7, inner: adam(lr: schedules.cosine(0.05, 4000))), 4000), [1.0, 1.0], 1e-3)
  assert close(in_valley(lookahead(adam(lr: schedules.cosine(0.1, 4000))), 4000), [1.0, 1.0], 1e-3)
  assert close(in_valley(schedule_free(sgd(lr: 2e-3)), 40000), [1.0, 1.0], 3e-2)
  assert close(in_valley(schedule_free_adamw(lr: 0.02), 20000), [1.0, 1.0], 1e-2)
  assert close(in_valley(on_plateau(adam(lr: 0.05), patience: 200, factor: 0.5), 8000), [1.0, 1.0], 1e-2)
  assert close(in_valley(proximal(lr: 1e-3, prox: soft_threshold(0.0)), 30000), [1.0, 1.0], 1e-3)
  assert close(in_valley(fista(lr: 1e-3, prox: soft_threshold(0.0)), 20000), [1.0, 1.0], 1e-3)
  assert close(in_valley(projected(sgd(lr: 1e-3), onto: ball(2.0)), 30000), [1.0, 1.0], 1e-3)
  assert close(in_valley(mirror_descent(lr: 1e-3, to: asinh, back: sinh), 30000), [1.0, 1.0], 1e-3)
  assert close(in_valley(ftrl(lr: 0.5), 20000), [1.0, 1.0], 1e-3)
  assert close(in_valley(clip_norm(10.0) |> sgd(lr: 1e-3), 30000), [1.0, 1.0], 1e-3)
  assert close(in_valley(clip_value(10.0) |> sgd(lr: 1e-3), 30000), [1.0, 1.0], 1e-3)
  assert close(in_valley(clip_ratio(5.0) |> sgd(lr: 1e-3), 30000), [1.0, 1.0], 1e-3)
  assert close(in_valley(normalized() |> sgd(lr: schedules.linear(0.01, 0.0, 30000)), 30000), [1.0, 1.0], 1e-2)
  assert close(in_valley(weight_decay(1e-6) |> sgd(lr: 1e-3), 30000), [1.0, 1.0], 1e-3)
  assert close(in_valley(average(0.5) |> sgd(lr: 1e-3), 30000), [1.0, 1.0], 1e-3)
}

// The step of muon on a matrix has one length in all directions: it goes down by the schedule alone.

test "matrices" {
  let target = [[1.0, 2.0, -1.0], [0.5, -1.0, 0.0]]
  let far = |q| 0.5 * sqnorm(q - target)
  let lr = schedules.linear(0.1, 0.0, 400)
  assert close(down(far, muon(lr: lr), zeros(2, 3), 400), target, 0.05)
  assert close(down(far, shampoo(lr: 0.5), zeros(2, 3), 400), target, 1e-6)
  assert close(down(far, adafactor(lr: lr), ones(2, 3), 400), target, 0.02)
  // Rosenbrock's valley with a matrix on either side.
  let deep = |q| valley([sum(q) / 4.0, q[0, 0]])
  assert close(down(deep, muon(lr: schedules.linear(0.02, 0.0, 8000)), [[0.9, 0.8], [0.9, 0.8]], 8000)[0, 0], 1.0, 0.05)
  // A mean that never changes: rows of the centralized gradient sum to 0.
  let still = down(far, centralized() |> sgd(lr: 0.1), zeros(2, 3), 400)
  assert close(mean(still, axis: 1), [0.0, 0.0], 1e-9)
  assert close(still, for row in target { row - mean(row) }, 1e-9)
}

// The means that wrappers keep.

test "means" {
  let noisy = |q| bowl(q) + dot(stop(randn([2])), q)
  // The last iterate of gradient descent at the rate 0.1 is off by a normal error of standard deviation 0.3 or so; the mean of 20,000
  // correlated ones by less than 0.02, which is a tenth of what is allowed.
  let kept = go(noisy, swa(sgd(lr: 0.1), from: 100), [2.0, -1.0], 20000)
  assert close(kept.s.swa.x, [0.5, 1.0], 0.1)
  let recent = go(bowl, ema(sgd(lr: 0.1), decay: 0.9), [2.0, -1.0], 400)
  assert close(recent.s.ema.x, [0.5, 1.0], 1e-9)
  let free = go(valley, schedule_free(sgd(lr: 2e-3)), [-1.2, 1.0], 40000)
  assert close(free.s.schedule_free.x, [1.0, 1.0], 3e-2)
  let swa_valley = go(valley, swa(adam(lr: schedules.cosine(0.05, 4000)), from: 3900), [-1.2, 1.0], 4000)
  assert close(swa_valley.s.swa.x, [1.0, 1.0], 1e-3)
  let ema_valley = go(valley, ema(adam(lr: schedules.cosine(0.05, 4000)), decay: 0.99), [-1.2, 1.0], 4000)
  assert close(ema_valley.s.ema.x, [1.0, 1.0], 1e-3)
}

// A subgradient method on a sum of absolute values, whose least place is a kink.

test "kinks" {
  let sharp = |q| 2.0 * abs(q[0] - 1.0) + 2.0 * abs(q[1] + 0.5) + abs(q[0] + q[1])
  let end = go(sharp, subgradient(), [3.0, 2.0], 4000)
  assert close(end.s.subgradient.best, [1.0, -0.5], 1e-2) and end.s.subgradient.lowest < 0.5 + 1e-2
  assert close(down(sharp, polyak(lowest: 0.5), [3.0, 2.0], 4000), [1.0, -0.5], 1e-6)
}

// Penalties and constraints: the solutions are known.

test "penalties" {
  let near = |q| 0.5 * sqnorm(q - [3.0, 0.2, -1.0])
  let at = |o| down(near, o, zeros(3), 200)
  assert close(at(proximal(lr: 0.1, prox: soft_threshold(0.5))), [2.5, 0.0, -0.5], 1e-8)
  assert at(proximal(lr: 0.1, prox: soft_threshold(0.5)))[1] == 0.0
  assert close(at(fista(lr: 0.1, prox: soft_threshold(0.5))), [2.5, 0.0, -0.5], 1e-6)
  assert close(at(proximal(lr: 0.1, prox: ridge(1.0))), [1.5, 0.1, -0.5], 1e-8)
  let length = norm([3.0, 0.2, -1.0])
  assert close(at(proximal(lr: 0.1, prox: shrink(1.0))), (1.0 - 1.0 / length) * [3.0, 0.2, -1.0], 1e-8)
  assert close(at(proximal(lr: 0.1, prox: shrink(4.0))), zeros(3), 0.0)
  // The penalty counts once against the sum of all gradients, which are -0.2 here.
  assert at(ftrl(lr: 1.0, l1: 41.0))[1] == 0.0 and at(ftrl(lr: 1.0, l1: 39.0))[1] > 0.0
}

test "constraints" {
  let near = |q| 0.5 * sqnorm(q - [3.0, 0.2, -1.0])
  let third = [1.0, 1.0, 1.0] / 3.0
  let at = |o| down(near, o, third, 400)
  assert close(at(projected(sgd(lr: 0.1), onto: box(0.0, 1.0))), [1.0, 0.2, 0.0], 1e-9)
  assert close(at(projected(sgd(lr: 0.1), onto: ball(1.0))), [3.0, 0.2, -1.0] / norm([3.0, 0.2, -1.0]), 1e-9)
  assert close(at(projected(sgd(lr: 0.1), onto: simplex_of())), [1.0, 0.0, 0.0], 1e-12)
  assert close(at(exponentiated(lr: 0.1)), [1.0, 0.0, 0.0], 1e-9)
  assert close(down(near, mirror_descent(lr: 0.1), third, 400)[0..2], [3.0, 0.2], 1e-3)
  // The nearest place of the simplex, where not all elements stay positive.
  assert close(simplex_of()([0.8, 0.6, -1.0]), [0.6, 0.4, 0.0], 1e-12)
  assert close(simplex_of(3.0)([1.0, 2.0, 3.0]), [0.0, 1.0, 2.0], 1e-12)
  // The bowl and the valley on a simplex, where the least places are in the inside.
  assert close(down(|q| bowl(2.0 * q[0..2]), exponentiated(lr: 0.1), third, 400)[0..2], [0.25, 0.5], 1e-6)
  assert close(down(|q| valley(3.0 * q[0..2]), exponentiated(lr: 3e-4), [0.2, 0.5, 0.3], 40000), third, 1e-3)
}

// Noise that dies out still leads to the least place: after 4,000 steps its standard deviation is 0.03, and 1e-4 in each step.

test "noise" {
  assert close(down(bowl, noise(eta: 0.1, power: 1.0) |> sgd(lr: 0.01), [2.0, -1.0], 4000), [0.5, 1.0], 0.02)
  let one = normalized_noise(2000)
  // Twice 6 standard errors, of a variance of 2,000 draws: wrong with a probability below 1e-8.
  assert abs(one - 0.25) < 0.25 * 6.0 * sqrt(2.0 / 2000.0)
}

/// The variance of the first noise of 2,000 elements.
fn normalized_noise(n) {
  let o = noise(eta: 0.25) |> sgd(lr: 1.0)
  let p = zeros(n)
  let (q, _) = o.step(p, zeros(n), o.start(p))
  mean(square(q))
}
