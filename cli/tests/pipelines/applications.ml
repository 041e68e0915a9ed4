// Stages with arguments: applied, swept, and used after one another.

precision f64

use std.optim.{adam, sgd}

let rows = {x: for i in 0..8 { real(i) }}

param w = 0.0
net head = line()

net line()(x: real[3]) {
  param a = [0.5, -0.5, 1.0]
  dot(a, x)
}

fn loss(b) = mean(for x in b.x { square(x - w) })

stage fit(lr, steps = 20) = train b in rows.batch(8) for steps steps {
  state n = 0
  set n = n + 1
  minimize loss(b) over w using sgd(lr: lr)
  log loss = loss(b), n = n
  every 10 steps { log tenth = w }
}

// w after n steps is 3.5 * (1 - (1 - 2 lr)^n).

fn after_steps(lr, n) = 3.5 * (1.0 - (1.0 - 2.0 * lr)^n)

let final = for lr in [1e-3, 1e-2, 1e-1] { fit(lr).log.loss[-1] }

test "a sweep is a tensor, of runs of their own" {
  let expected = for lr in [1e-3, 1e-2, 1e-1] { 5.25 + square(3.5 - after_steps(lr, 20)) }
  assert close(final, expected, 1e-9)
  assert close(fit(1e-2).w, after_steps(0.01, 20), 1e-9)
  assert close(fit(0.1, steps: 5).w, after_steps(0.1, 5), 1e-9)
  assert fit(0.1).n == 20 and fit(0.1, 5).n == 5
  assert len(fit(lr: 0.1, steps: 5).log.loss) == 5
  assert close(fit(1e-2).log.tenth, for n in [10, 20] { after_steps(0.01, n) }, 1e-9)
  assert close(w, 0.0, 0.0)
}

stage tune = train for 10 steps after fit(1e-2) {
  minimize loss(rows) over w using sgd(lr: 0.01)
}

test "a stage goes on from an application" {
  assert close(tune.w, after_steps(0.01, 30), 1e-9)
}

// A stage whose argument says what it starts from, and functions and optimizers as arguments.

stage more(lr) = train for 10 steps after fit(lr) {
  minimize loss(rows) over w using sgd(lr: lr)
}

stage with(opt, measure) = train for 4 steps {
  minimize measure(w) over w using opt
  log value = w
}

fn away(x) = square(x - 1.0)

stage best = compute { log all = for o in [sgd(lr: 0.1), sgd(lr: 0.25)] { with(o, away).w } }

test "arguments of other kinds" {
  assert close(more(0.1).w, after_steps(0.1, 30), 1e-9)
  assert close(best.log.all[0], [1.0 - 0.8^4, 1.0 - 0.5^4], 1e-9)
  assert close(with(sgd(lr: 0.1), |x| square(x + 1.0)).w, 0.8^4 - 1.0, 1e-9)
  assert abs(with(adam(lr: 0.1), away).w - 0.4) < 0.02
}

// A run that meets NaN is a value of the sweep.

stage steep(lr) = train for 400 steps {
  minimize exp(square(w - 1.0)) over w using sgd(lr: lr)
  log value = exp(square(w - 1.0))
  every 100 steps { log late = w }
}

test "a run that fails is a value" {
  let ends = for lr in [0.1, 10.0, 0.2] { steep(lr).log.value[-1] }
  assert close(ends[0], 1.0, 1e-6) and close(ends[2], 1.0, 1e-6)
  assert not is_finite(ends[1])
}
