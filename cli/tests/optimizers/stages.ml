// Optimizers and schedules in stages: what they keep, what is read of it, and schedules that follow what a run recorded.

precision f64

use std.optim.{sgd, adam, momentum, muon, adafactor, lbfgs, schedule_free, fista, ema, on_plateau, soft_threshold}
use std.schedules.{progress, constant, linear, cosine, exponential, step_decay, polynomial, warmup, one_cycle, one_cycle_at}
use std.schedules.{piecewise, rung, table, warmup_stable_decay, inverse_sqrt, restarts, triangular}
use std.schedules.{plateau_start, plateau, refined, running_median}
use std.nn.mlp

let xs = for t in linspace(-1.0, 1.0, 20) { [t] }
let ys = sin(2.0 * xs)
net n = mlp([1, 8, 1], act: tanh)
param w = [2.0, -1.0]

fn error_of(n) = mean(for (x, y) in (xs, ys) { square(n(x)[0] - y[0]) })
fn bowl(x) = 0.5 * dot(x - [0.5, 1.0], [[2.0, 0.5], [0.5, 1.0]] @ (x - [0.5, 1.0]))

// Parameters to evaluate lie among the states, by address.

stage free = train for 600 steps { minimize error_of(n) + bowl(w) over n, w using schedule_free(adam(lr: 0.03, b1: 0.0)) }
stage watched = train for 600 steps {
  minimize bowl(w) over w using schedule_free(adam(lr: 0.03, b1: 0.0))
  every 100 steps { log there = norm(states.schedule_free.x.w - [0.5, 1.0]) }
  stop when norm(w - [0.5, 1.0]) > 100.0
  verdict norm(states.schedule_free.x.w - [0.5, 1.0]) < 0.1
}
stage kept = train for 1 steps after free {
  set n = free.states.schedule_free.x.n
  set w = free.states.schedule_free.x.w
}
stage sparse = train for 300 steps { minimize bowl(w) over w using fista(lr: 0.3, prox: soft_threshold(1.2)) }
stage smooth = train for 300 steps { minimize bowl(w) over w using ema(sgd(lr: 0.3), decay: 0.9) }

// Two groups that keep what is not of one parameter keep it apart.

param u = [1.0]
stage groups = train for 300 steps {
  minimize bowl(w) + square(u[0]) over w using ema(sgd(lr: 0.3), decay: 0.9), u using ema(sgd(lr: 0.1), decay: 0.9)
}

test "groups" {
  assert close(groups.states.ema.x.w, [0.5, 1.0], 1e-9)
  assert close(groups.states.ema2.x.u, [0.0], 1e-9)
}

test "parameters to evaluate" {
  let average = n.with(free.states.schedule_free.x.n)
  assert error_of(average) < 2e-2
  assert close(average([0.5])[0], kept.n([0.5])[0], 0.0)
  assert close(kept.w, [0.5, 1.0], 0.05)
  assert watched.log.there[-1] < 0.05 and watched.log.good[0]
  assert close(watched.log.there[-1], norm(watched.states.schedule_free.x.w - [0.5, 1.0]), 0.0)
  assert close(sparse.states.w.fista.x, [0.15, 0.0], 1e-9)
  assert close(smooth.states.ema.x.w, [0.5, 1.0], 1e-9)
}

// Matrices and vectors of a net are moved each in its way; an objective without noise by a line search.

stage shaped = train for 400 steps {
  minimize error_of(n) over n using muon(lr: linear(0.05, 0.0, 400), other: adam(lr: 0.01))
}
stage factored = train for 400 steps { minimize error_of(n) over n using adafactor(lr: linear(0.05, 0.0, 400)) }
stage searched = train for 60 steps { minimize error_of(n) over n using lbfgs(memory: 5) }

test "nets" {
  assert error_of(shaped.n) < 1e-3
  assert error_of(factored.n) < 1e-2
  assert error_of(searched.n) < 1e-3
  assert rank(shaped.states.n.layer[0].w.muon.v) == 2
  assert rank(shaped.states.n.layer[0].b.muon.other.adam.m) == 1
  assert rank(factored.states.n.layer[0].w.adafactor.rows) == 1
}

// Rates that fall where a value does: a state of the stage, or an optimizer around another.

stage waits = train for 60 steps {
  state s = plateau_start(0.8)
  minimize bowl(w) over w using sgd(lr: |t| s.rate)
  set s = plateau(s, max(bowl(w), 0.01), factor: 0.5, patience: 4)
  log rate = s.rate
}
stage by_epoch = train for 60 steps {
  state s = plateau_start(1.0)
  minimize bowl(w) over w using sgd(lr: |t| 0.1 * s.rate)
  every 10 steps {
    set s = plateau(s, 1.0, factor: 0.5, patience: 1)
    log rate = s.rate
  }
}
stage around = train for 60 steps { minimize max(bowl(w), 0.01) over w using on_plateau(sgd(lr: 0.8), factor: 0.5, patience: 4) }

test "plateaus" {
  let r = waits.log.rate
  assert r[0] == 0.8 and r[-1] < 0.8 and all(diff(r) <= 0.0)
  assert close(waits.w, [0.5, 1.0], 0.2)
  // A value that never falls: one is waited for, then the rate falls.
  assert close(by_epoch.log.rate, [1.0, 1.0, 0.5, 0.5, 0.25, 0.25], 1e-12)
  assert around.states.on_plateau.scale < 1.0
}

// Rates refined from the lengths of gradients that an earlier run recorded.

stage first = train for 100 steps {
  let g = grad(bowl(w), wrt: w) + 0.3 * randn([2])
  update w by g using sgd(lr: linear(0.2, 0.0, 100))
  log length = norm(g)
}
stage second = train for 100 steps {
  state rates = refined(first.log.length)
  let g = grad(bowl(w), wrt: w) + 0.3 * randn([2])
  update w by g using sgd(lr: |t| 0.2 * rates[t])
  log rate = rates[step]
}

test "refined" {
  let r = second.log.rate
  // Long gradients at the start ask for small steps: a warmup that nobody wrote.
  assert argmax(r) > 2 and r[0] < 0.5 * max(r) and r[-1] == 0.0
  assert close(max(r), 0.99, 1e-12)
  assert close(refined(2.0 * ones(50)), 1.0 - (1.0 + real(iota(50))) / 50.0, 1e-12)
  let norms = [10.0, 10.0, 1.0, 1.0, 1.0, 1.0]
  assert close(refined(norms, width: 1, power: 1.0), 5.0 / 18.0 * [0.41, 0.4, 3.0, 2.0, 1.0, 0.0], 1e-12)
  assert close(running_median([5.0, 1.0, 4.0, 2.0, 3.0], 3), [5.0, 4.0, 2.0, 3.0, 3.0], 0.0)
}

test "schedules" {
  let t = int([0.0, 50.0, 100.0, 200.0])
  let at = |s| for i in t { s(i) }
  assert close(for i in t { progress(i, 100) }, [0.0, 0.5, 1.0, 1.0], 1e-12)
  assert close(at(constant(0.5)), [0.5, 0.5, 0.5, 0.5], 0.0)
  assert close(at(linear(1.0, 0.0, 100)), [1.0, 0.5, 0.0, 0.0], 1e-12)
  assert close(at(cosine(1.0, 100)), [1.0, 0.5, 0.0, 0.0], 1e-12)
  assert close(at(exponential(1.0, 0.25, steps: 100)), [1.0, 0.5, 0.25, 0.0625], 1e-12)
  assert close(at(step_decay(1.0, 0.5, 60)), [1.0, 1.0, 0.5, 0.125], 1e-12)
  assert close(at(polynomial(1.0, 100, power: 2.0)), [1.0, 0.25, 0.0, 0.0], 1e-12)
  assert close(at(warmup(100, then: linear(0.4, 0.0, 200))), [0.004, 0.204, 0.4, 0.2], 1e-12)
  assert close(at(one_cycle(1.0, 100, up: 0.5)), [0.04, 1.0, 4e-6, 4e-6], 1e-12)
  assert close(one_cycle_at(0.5, 1.0, 0.5, 25.0, 1e4), 1.0, 1e-12)
  assert close(at(piecewise([50, 150], [3.0, 2.0, 1.0])), [3.0, 2.0, 2.0, 1.0], 0.0)
  assert close(at(table(linspace(0.0, 1.0, 101))), [0.0, 0.5, 1.0, 1.0], 1e-12)
  assert close(at(table([3.0, 2.0])), [3.0, 2.0, 2.0, 2.0], 0.0)
  assert close(at(warmup_stable_decay(0.5, 20, 30, 100)), [0.025, 0.5, 0.25, 0.0], 1e-12)
  assert close(at(inverse_sqrt(1.0, 51)), [1.0 / 51.0, 1.0, sqrt(51.0 / 101.0), sqrt(51.0 / 201.0)], 1e-12)
  assert close(at(restarts(linear(1.0, 0.0, 60), 60)), [1.0, 1.0 / 6.0, 1.0 / 3.0, 2.0 / 3.0], 1e-12)
  assert close(at(triangular(0.1, 0.9, 40)), [0.1, 0.7, 0.5, 0.9], 1e-12)
  assert rung(5) == 6 and rung(24) == 24
  let (_, rates) = scan (s = plateau_start(0.1)) for v in [3.0, 2.0, 2.0, 2.5, 1.0, 1.0, 1.0, 1.0] {
    let n = plateau(s, v, factor: 0.5, patience: 1)
    next s = n
    yield n.rate
  }
  assert close(rates, [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025], 1e-15)
}
