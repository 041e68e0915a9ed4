// Equalities that must hold between optimizers, to the bit or nearly so.

precision f64

use std.optim.{sgd, momentum, nesterov, polyak, coordinate_descent}
use std.optim.{adagrad, rmsprop, adam, adamw, amsgrad, nadam, radam, adabelief, lion}
use std.optim.{lars, lamb, adafactor, shampoo, muon, lbfgs, sophia, natural, dog, dowg}
use std.optim.{sam, lookahead, ema, swa, schedule_free, schedule_free_adamw, on_plateau, line_search}
use std.optim.{proximal, fista, projected, mirror_descent, exponentiated, ftrl}
use std.optim.{soft_threshold, ridge, box, within_set, orthogonalized, debias}
use std.optim.{clip_norm, clip_value, clip_ratio, centralized, weight_decay, noise, average, scale}
use std.linalg.eye

let start = {w: [[0.3, -0.7], [1.1, 0.4], [-0.2, 0.9]], b: [0.5, -0.2], c: 1.5}
fn f(q) = sum(cos(q.w @ q.b)) + sqnorm(q.w) + 0.5 * sqnorm(q.b) + 0.25 * q.c^4

/// The parameters after seven steps.
fn walk(o) {
  let end = scan (q = start, s = o.start(start)) for i in 0..7 {
    next (q, s) = o.step(q, grad(f(q), wrt: q), s, f: f)
  }
  flatten(end.q)
}
fn same(a, b) = close(walk(a), walk(b), 1e-12)

test "what is switched off changes nothing" {
  assert close(walk(momentum(lr: 0.1, mu: 0.0)), walk(sgd(lr: 0.1)), 0.0)
  assert close(walk(nesterov(lr: 0.1, mu: 0.0)), walk(sgd(lr: 0.1)), 0.0)
  assert close(walk(adamw(lr: 0.1, decay: 0.0)), walk(adam(lr: 0.1)), 0.0)
  assert close(walk(adamw(lr: 0.1, decay: 0.0, independent: true)), walk(adam(lr: 0.1)), 0.0)
  assert same(adamw(lr: 0.1, decay: |t| 0.1, independent: true), adamw(lr: 0.1, decay: 1.0))
  assert same(adam(lr: 0.1, b1: 0.0, b2: 0.0, eps: 1e-30), lion(lr: 0.1, b1: 0.0))
  assert same(nadam(lr: 0.1, b1: 0.0), adam(lr: 0.1, b1: 0.0))
  assert same(weight_decay(0.0) |> clip_norm(1e9) |> clip_value(1e9) |> clip_ratio(1e9) |> sgd(lr: 0.1), sgd(lr: 0.1))
  assert same(average(0.0) |> noise(eta: 0.0) |> scale(1.0) |> sgd(lr: 0.1), sgd(lr: 0.1))
  assert same(sam(rho: 0.0, inner: momentum(lr: 0.1)), momentum(lr: 0.1))
  assert same(lookahead(adam(lr: 0.1), alpha: 1.0, every: 3), adam(lr: 0.1))
  assert same(on_plateau(adam(lr: 0.1), patience: 100), adam(lr: 0.1))
  assert close(walk(ema(adam(lr: 0.1))), walk(adam(lr: 0.1)), 0.0)
  assert close(walk(swa(adam(lr: 0.1))), walk(adam(lr: 0.1)), 0.0)
  // An optimizer inside another has the objective, if it runs on all parameters as the outer does.
  assert same(ema(on_plateau(lbfgs(), patience: 100)), lbfgs())
  assert same(schedule_free(sgd(lr: 0.1), beta: 0.0), sgd(lr: 0.1))
  assert same(proximal(lr: 0.1, prox: soft_threshold(0.0)), sgd(lr: 0.1))
  assert same(projected(sgd(lr: 0.1), onto: box()), sgd(lr: 0.1))
  assert same(mirror_descent(lr: 0.1, to: |x| x, back: |x| x), sgd(lr: 0.1))
}

test "one is another" {
  // On a parabola each of these is Newton's step.
  let bump = |x| 0.5 * square(x - 3.0)
  let one = |o| o.step(1.0, -2.0, o.start(1.0), f: bump)[0]
  assert close(one(coordinate_descent()), 3.0, 1e-12)
  assert close(one(coordinate_descent(greedy: true)), 3.0, 1e-12)
  assert close(one(polyak(scale: 2.0)), 3.0, 1e-12)
  assert same(natural(|q, v| v, lr: 0.1), sgd(lr: 0.1))
  assert same(natural(|q, v| hvp(f(q), wrt: q, along: v), lr: 1.0), natural(|q, v| 2.0 * hvp(f(q), wrt: q, along: v), lr: 2.0))
  assert same(ftrl(lr: 0.1, beta: 1e-10), adagrad(lr: 0.1))
  assert same(projected(sgd(lr: 0.1), onto: box(0.0, 1.0)), proximal(lr: 0.1, prox: within_set(box(0.0, 1.0))))
  assert same(weight_decay(0.3) |> sgd(lr: 0.1), sgd_with(|q| f(q) + 0.15 * sqnorm(q)))
  assert same(scale(0.5) |> sgd(lr: 0.1), sgd(lr: 0.05))
  // A length of 1 is what lars and lamb make of the step.
  let unit = {a: [0.6, 0.8]}
  let to = |o| o.step(unit, {a: [3.0, 4.0]}, o.start(unit))[0].a
  assert close(to(lars(lr: 1.0, trust: 0.5, mu: 0.0)), [0.3, 0.4], 1e-12)
  assert close(to(dog(first: 0.05)), to(sgd(lr: 0.1 / sqrt(25.0 + 1e-8))), 1e-12)
  assert close(to(dowg(first: 0.05)), to(sgd(lr: 0.01 / sqrt(0.25 + 1e-8))), 1e-12)
  // A matrix of rank one has the factors that its second moments are made of.
  let m = outer([1.0, 2.0, -3.0], [0.5, -1.5])
  let moved = |o| o.step(m, m, o.start(m))[0]
  assert close(moved(adafactor(lr: 0.1, least: 1.0)), m - 0.1 * max(sqrt(mean(square(m))), 1.0) * sign(m), 1e-12)
  // Singular values of orthogonalized matrices lie between 0.7 and 1.2.
  let (_, s, _) = svd(orthogonalized([[1.0, 0.2], [0.3, -2.0], [0.5, 0.5]]))
  assert min(s) > 0.65 and max(s) < 1.25
  // With a history of one gradient, shampoo divides a matrix by the powers of its own singular values.
  let (u, t, v) = svd([[1.0, 0.2], [0.3, -2.0]])
  let g = [[1.0, 0.2], [0.3, -2.0]]
  let o = shampoo(lr: 1.0, eps: 1e-14)
  let (turned, _) = o.step(zeros(2, 2), g, o.start(zeros(2, 2)))
  assert close(turned @ transpose(turned), eye(2), 1e-6)
}

/// Gradient descent on another objective.
optimizer sgd_with(other) for all p, g {
  let q = p
  p - 0.1 * grad(other(q), wrt: q)
}

// Sophia draws; its step is what its states say, and its diagonal is that of the Hessian on average.

test "sophia" {
  let o = sophia(lr: 0.1, scale: 0.5, every: 2)
  let q0 = {x: [0.5, -1.0, 2.0]}
  let h = |q| 0.5 * dot([1.0, 2.0, 30.0], square(q.x)) + q.x[0] * q.x[1]
  let (q1, s1) = o.step(q0, grad(h(q0), wrt: q0), o.start(q0), f: h)
  let (m, d) = (s1.sophia.m.x, s1.sophia.h.x)
  assert close(q1.x, q0.x - 0.1 * clip(m / max(0.5 * d, 1e-12), -1.0, 1.0), 1e-12)
  // Estimated at each other step.
  let (_, s2) = o.step(q1, grad(h(q1), wrt: q1), s1, f: h)
  assert close(s2.sophia.h.x, d, 0.0)
  // 40,000 estimates of variance 2 h^2 + 1: six standard errors, which are exceeded with a probability below 1e-8.
  let each = sophia(lr: 0.0, b2: 0.0, every: 1)
  let (_, seen) = scan (s = each.start(q0)) for i in 0..40000 {
    let (_, t) = each.step(q0, grad(h(q0), wrt: q0), s, f: h)
    next s = t
    yield t.sophia.h.x
  }
  let bound = 6.0 * sqrt((2.0 * square([1.0, 2.0, 30.0]) + 1.0) / 40000.0)
  assert all(abs(mean(seen, axis: 0) - [1.0, 2.0, 30.0]) < bound)
}

test "the line search obeys its rules" {
  let h = |x| square(x[0] - 1.0) + 10.0 * square(square(x[0]) - x[1])
  let x = [-1.2, 1.0]
  let slope = grad(h(x), wrt: x)
  let t = line_search(h, x, -slope)
  let y = x - t * slope
  let fall = -sqnorm(slope)
  assert h(y) <= h(x) + 1e-4 * t * fall
  assert -dot(grad(h(y), wrt: y), slope) >= 0.9 * fall
  // Uphill no step is long enough to be allowed.
  assert line_search(h, x, slope) < 1e-8
}

test "running means" { assert close(debias(lerp(3.0, 0.0, 0.9), 0.9, 0), 3.0, 1e-12) }
