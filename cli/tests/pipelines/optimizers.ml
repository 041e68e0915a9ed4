// Optimizers: single steps against numbers worked out by hand, equalities, convergence, chains, values.

precision f64

use std.optim.{sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw, amsgrad, nadam, lion, sam, lookahead}
use std.optim.{clip_norm, clip_value, weight_decay, average, scale}
use std.schedules

param p = 1.0
param pair = {a: 3.0, b: 4.0}

// The gradient is 2.

stage one_sgd = train for 1 steps { minimize 2.0 * p over p using sgd(lr: 0.1) }
stage two_momentum = train for 2 steps { minimize 2.0 * p over p using momentum(lr: 0.1) }
stage two_nesterov = train for 2 steps { minimize 2.0 * p over p using nesterov(lr: 0.1) }
stage two_adagrad = train for 2 steps { minimize 2.0 * p over p using adagrad(lr: 0.1) }
stage one_rmsprop = train for 1 steps { minimize 2.0 * p over p using rmsprop(lr: 0.1) }
stage one_adam = train for 1 steps { minimize 2.0 * p over p using adam(lr: 0.1) }
stage one_adamw = train for 1 steps { minimize 2.0 * p over p using adamw(lr: 0.1) }
stage one_nadam = train for 1 steps { minimize 2.0 * p over p using nadam(lr: 0.1) }
stage one_lion = train for 1 steps { minimize 2.0 * p over p using lion(lr: 0.1, decay: 0.5) }
stage one_sam = train for 1 steps { minimize p * p over p using sam(inner: sgd(lr: 0.1)) }
stage two_lookahead = train for 2 steps { minimize 2.0 * p over p using lookahead(sgd(lr: 0.1), every: 2) }

test "steps worked out by hand" {
  assert close(one_sgd.p, 0.8, 1e-12)
  assert close(two_momentum.p, 0.42, 1e-12)
  assert close(two_nesterov.p, 0.078, 1e-12)
  assert close(two_adagrad.p, 0.9 - 0.1 / sqrt(2.0), 1e-9)
  assert close(one_rmsprop.p, 1.0 - 0.2 / sqrt(0.4), 1e-8)
  assert close(one_adam.p, 0.9, 1e-9)
  assert close(one_adamw.p, 0.899, 1e-9)
  assert close(one_nadam.p, 1.0 - 0.05 * (0.18 / 0.19 + 2.0), 1e-9)
  assert close(one_lion.p, 0.85, 1e-12)
  assert close(one_sam.p, 0.79, 1e-12)
  assert close(two_lookahead.p, 0.8, 1e-12)
}

// A gradient that shrinks: amsgrad divides by the largest second moment, adam by the present one.

stage shrinking_adam = train for 3 steps { update p by 1.0 / (1.0 + real(step))^4 using adam(lr: 0.1, b2: 0.5) }
stage shrinking_amsgrad = train for 3 steps { update p by 1.0 / (1.0 + real(step))^4 using amsgrad(lr: 0.1, b2: 0.5) }

// Equalities.

stage decayless = train for 7 steps { minimize cos(p) over p using adamw(lr: 0.1, decay: 0.0) }
stage plain = train for 7 steps { minimize cos(p) over p using adam(lr: 0.1) }
stage without_momentum = train for 7 steps { minimize cos(p) over p using momentum(lr: 0.1, mu: 0.0) }
stage plain_sgd = train for 7 steps { minimize cos(p) over p using sgd(lr: 0.1) }
stage downhill = train for 7 steps { maximize -cos(p) over p using adam(lr: 0.1) }
stage by_update = train for 7 steps { update p by grad(cos(p), wrt: p) using adam(lr: 0.1) }
stage in_pair = train for 7 steps { minimize cos(p) + pair.a over pair, p using adam(lr: 0.1) }

test "equalities" {
  assert close(decayless.p, plain.p, 0.0)
  assert close(without_momentum.p, plain_sgd.p, 0.0)
  assert close(downhill.p, plain.p, 0.0)
  assert close(by_update.p, plain.p, 0.0)
  assert close(in_pair.p, plain.p, 0.0)
  assert close(in_pair.pair.b, 4.0, 0.0)
  assert shrinking_amsgrad.p > shrinking_adam.p
}

// Chains: transformations of the gradient, the last one moves the parameters. The gradient of the pair is (3, 4).

stage clipped = train for 1 steps {
  minimize 0.5 * dot(pair, pair) over pair using clip_norm(limit: 1.0) |> sgd(lr: 1.0)
}
stage clipped_less = train for 1 steps { minimize 0.5 * dot(pair, pair) over pair using clip_norm(100.0) |> sgd(lr: 1.0) }
stage clipped_each = train for 1 steps { minimize 0.5 * dot(pair, pair) over pair using clip_value(3.5) |> sgd(lr: 1.0) }
stage chained = train for 1 steps {
  minimize 0.5 * dot(pair, pair) over pair using clip_norm(5.0) |> weight_decay(0.1) |> scale(0.5) |> sgd(lr: 1.0)
}
stage averaged = train for 2 steps { update p by 1.0 + real(step) using average(0.5) |> sgd(lr: 0.1) }
stage sharp = train for 1 steps {
  minimize p * p over p using clip_norm(1.0) |> sam(inner: clip_value(0.5) |> momentum(lr: 0.1))
}

test "chains" {
  assert close(clipped.pair.a, 3.0 - 0.6, 1e-12)
  assert close(clipped.pair.b, 4.0 - 0.8, 1e-12)
  assert close(clipped_less.pair.a, 0.0, 1e-12)
  assert close(clipped_each.pair.b, 0.5, 1e-12)
  assert close(chained.pair.a, 3.0 - 0.5 * 3.3, 1e-12)
  assert close(averaged.p, 1.0 - 0.1 - 0.1 * (5.0 / 3.0), 1e-12)
  assert close(sharp.p, 0.95, 1e-12)
}

// A schedule sees the step; a stage counts from 0 and continues nothing.

stage scheduled = train for 3 steps { update p by 1.0 using sgd(lr: |t| [0.1, 0.2, 0.4][t]) }
stage warm = train for 3 steps { update p by 1.0 using sgd(lr: schedules.warmup(2, then: 0.4)) }

test "schedules" {
  assert close(scheduled.p, 0.3, 1e-12)
  assert close(warm.p, 1.0 - 0.2 - 0.4 - 0.4, 1e-12)
  let t = int([0.0, 50.0, 100.0, 200.0])
  let at = |s| for i in t { s(i) }
  assert close(at(schedules.constant(0.5)), [0.5, 0.5, 0.5, 0.5], 0.0)
  assert close(at(schedules.linear(1.0, 0.0, 100)), [1.0, 0.5, 0.0, 0.0], 1e-12)
  assert close(at(schedules.cosine(1.0, 100)), [1.0, 0.5, 0.0, 0.0], 1e-12)
  assert close(at(schedules.exponential(1.0, 0.25, steps: 100)), [1.0, 0.5, 0.25, 0.0625], 1e-12)
  assert close(at(schedules.step_decay(1.0, 0.5, 60)), [1.0, 1.0, 0.5, 0.125], 1e-12)
  assert close(at(schedules.polynomial(1.0, 100, power: 2.0)), [1.0, 0.25, 0.0, 0.0], 1e-12)
  assert close(at(schedules.one_cycle(1.0, 100, up: 0.5)), [0.04, 1.0, 4e-6, 4e-6], 1e-12)
  assert close(at(schedules.piecewise([50, 150], [3.0, 2.0, 1.0])), [3.0, 2.0, 2.0, 1.0], 0.0)
}

// Convergence on a quadratic bowl and on Rosenbrock's valley.

param z = [-1.2, 1.0]
param bowl = [2.0, -3.0]
fn valley(z) = (1.0 - z[0])^2 + 100.0 * (z[1] - z[0]^2)^2
fn hill(q) = 0.5 * q[0]^2 + 2.0 * (q[1] - 1.0)^2

stage in_valley = train for 4000 steps { minimize valley(z) over z using adam(lr: schedules.cosine(0.05, 4000)) }
stage nesterov_valley = train for 6000 steps { minimize valley(z) over z using clip_norm(10.0) |> nesterov(lr: 5e-4) }
stage bowl_lion = train for 600 steps { minimize hill(bowl) over bowl using lion(lr: schedules.linear(0.05, 0.0, 600)) }
stage bowl_sam = train for 400 steps { minimize hill(bowl) over bowl using sam(rho: 1e-6, inner: momentum(lr: 0.05)) }
stage bowl_look = train for 400 steps { minimize hill(bowl) over bowl using lookahead(adam(lr: 0.1)) }

test "convergence" {
  assert close(in_valley.z, [1.0, 1.0], 1e-3)
  assert close(nesterov_valley.z, [1.0, 1.0], 1e-2)
  assert close(bowl_lion.bowl, [0.0, 1.0], 1e-3)
  assert close(bowl_sam.bowl, [0.0, 1.0], 1e-4)
  assert close(bowl_look.bowl, [0.0, 1.0], 1e-2)
}

// A stage's states start from what the stage starts with.

stage after_one = train for 2 steps after one_sgd { update p by 0.0 using lookahead(sgd(lr: 0.1), every: 2) }

test "first values of states are of the stage's start" { assert close(after_one.p, 0.8, 1e-12) }

// Two statements that move one parameter keep their states apart.

stage twice = train for 2 steps {
  update p by 2.0 using momentum(lr: 0.1)
  update p by 1.0 using momentum(lr: 0.1)
}

test "states of optimizers are read by address" {
  assert close(plain.states.p.adam.m, decayless.states.p.adamw.m, 0.0)
  assert abs(plain.states.p.adam.m) > 0.0
  assert close(sharp.states.p.sam.inner.momentum.v, 0.5, 1e-12)
  assert close(bowl_look.states.lookahead.slow.bowl, bowl_look.bowl, 1e-12)
}

test "states of two statements" { assert close(twice.p, 1.0 - 0.1 * (2.0 + 3.8 + 1.0 + 1.9), 1e-12) }

// As values.

fn descend(o, q) {
  let end = scan (q = q, s = o.start(q)) for i in 0..20, unroll: true {
    next (q, s) = o.step(q, grad(hill(q), wrt: q), s)
  }
  end
}

stage twenty = train for 20 steps { minimize hill(bowl) over bowl using adam(lr: 0.1) }
stage values = compute {
  let end = descend(adam(lr: 0.1), bowl)
  log q = end.q, count = end.s.step
  let o = clip_norm(5.0) |> momentum(lr: 0.1)
  let s = o.start(pair)
  let (q, t) = o.step(pair, pair, s)
  let (r, u) = o.step(q, pair, t)
  log a = r.a, v = u.a.momentum.v, steps = u.step
  let sharp = sam(inner: sgd(lr: 0.1))
  let (w, _) = sharp.step(p, 2.0 * p, sharp.start(p), f: |x| x * x)
  log w = w
}

test "optimizers are values" {
  assert close(values.log.q[0], twenty.bowl, 1e-12)
  assert values.log.count[0] == 20
  assert close(values.log.a[0], 3.0 - 0.3 - 0.57, 1e-12)
  assert close(values.log.v[0], 5.7, 1e-12)
  assert values.log.steps[0] == 2
  assert close(values.log.w[0], 0.79, 1e-12)
}
