// Statements of a step: `set` of parts, several updates in order, `stop when`, `keep`, states in stages.

precision f64

use std.optim.sgd

// `set` of parts of states.

state m = zeros(4, 3)
state counts = zeros_int(5)
state cube = zeros(2, 3, 2)

let where = int([1.0, 3.0, 1.0])

stage parts = train for 1 steps {
  set m[0] = [1.0, 2.0, 3.0]
  set m[where] = [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0], [3.0, 3.0, 3.0]]
  set m[2, 1] = 7.0
  set m[2..4, 2] = [8.0, 9.0]
  set counts[1..3] = 5
  set counts[-1] = counts[1] + 1
  set cube[where -1, 0] = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
  set cube[.., 1..3, 1] = 4.0
}

test "parts of states are assigned, the later lane last" {
  assert close(parts.m, [[1.0, 2.0, 3.0], [3.0, 3.0, 3.0], [0.0, 7.0, 8.0], [2.0, 2.0, 9.0]], 0.0)
  assert all(parts.counts == int([0.0, 5.0, 5.0, 0.0, 6.0]))
  assert close(parts.cube[0], [[5.0, 6.0], [0.0, 4.0], [0.0, 4.0]], 0.0)
  assert close(parts.cube[1], [[3.0, 4.0], [0.0, 4.0], [0.0, 4.0]], 0.0)
  assert close(m, zeros(4, 3), 0.0)
}

// A memory with a row for each example (decision 12): the batch knows its rows.

let table = {x: for i in 0..10 { real(i) }}
state memory = {z: zeros_int(10, 2), ok: falses(10)}
state seen = {count: 0, last: -1.0, flag: false}

stage remember = train b in table.batch(4) for 2 epochs {
  let old = memory[b.row]
  let fresh = {z: for x in b.x { int(stack([x, x * x])) }, ok: for x in b.x { x > 2.0 }}
  let right = for x in b.x { mod(int(x), 2) == 0 }
  set memory[b.row] = for (o, n, hit) in (old, fresh, right) { if hit { n } else { o } }
  set seen = {count: seen.count + len(b.x), last: b.x[-1], flag: not seen.flag}
}

test "a batch assigns its rows of a record of states" {
  assert all(remember.memory.z[4] == int([4.0, 16.0]))
  assert all(remember.memory.z[5] == int([0.0, 0.0]))
  assert remember.memory.ok[4] and not remember.memory.ok[2] and not remember.memory.ok[5]
  assert remember.seen.count == 20
  assert close(remember.seen.last, 9.0, 0.0)
  assert not remember.seen.flag
}

// A field of a part, and a part of a field.

state pair = {a: zeros(3), b: ones(3, 2)}

stage fields = train for 1 steps {
  set pair[0].a = 2.0
  set pair.b[1] = [5.0, 6.0]
  set pair[2].b[1] = 9.0
}

test "fields of parts" {
  assert close(fields.pair.a, [2.0, 0.0, 0.0], 0.0)
  assert close(fields.pair.b, [[1.0, 1.0], [5.0, 6.0], [1.0, 9.0]], 0.0)
}

// Statements in order: gradients taken first are simultaneous, each statement sees those before it.

param x = 1.0
param y = 1.0

stage game = train for 1 steps {
  let f = x * y
  let (gx, gy) = (grad(f, wrt: x), grad(f, wrt: y))
  update x by gx using sgd(lr: 0.1)
  update y by -gy using sgd(lr: 0.1)
  set y = clip(y, 0.0, 1.05)
}

stage alternating = train for 1 steps {
  minimize x * y over x using sgd(lr: 0.1)
  maximize x * y over y using sgd(lr: 0.1)
}

stage groups = train for 1 steps { minimize x * x + y * y over x using sgd(lr: 0.1), y using sgd(lr: 0.25) }

test "updates in order" {
  assert close(game.x, 0.9, 1e-12)
  assert close(game.y, 1.05, 1e-12)
  assert close(alternating.y, 1.09, 1e-12)
  assert close(groups.x, 0.8, 1e-12)
  assert close(groups.y, 0.5, 1e-12)
}

// A state of a stage, `stop when`, and `keep`.

param w = 4.0

stage halving = train for 100 steps {
  state n = 0
  state trail = zeros(8)
  set trail[n] = w
  set n = n + 1
  set w = w / 2.0
  log w = w
  stop when w < 0.3
  every 2 steps { log n = n }
}

test "states of a stage" {
  assert halving.n == 4
  assert close(halving.trail, [4.0, 2.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0], 0.0)
}

test "a stage ends after the step in which its condition holds" {
  assert close(halving.w, 0.25, 0.0)
  assert len(halving.log.w) == 4
  assert len(halving.log.n) == 2
  assert halving.log.n[1] == 4
}

param v = 3.0

stage kept = train for 20 steps {
  keep lowest(v - 1.0)^2
  set v = v - 0.3
}

stage kept_after = train for 20 steps {
  set v = v - 0.3
  keep highest - abs(v - 1.0)
}

stage kept_logged = train for 20 steps {
  set v = v - 0.3
  every 2 steps { log distance = abs(v - 1.0) }
  keep lowest distance
}

stage kept_inside = train for 20 steps {
  set v = v - 0.3
  every 5 steps { keep lowest abs(v - 1.0) }
}

test "the best snapshot is what a stage leaves" {
  assert close(kept.v, 0.9, 1e-12)
  assert close(kept_after.v, 0.9, 1e-12)
  assert close(kept_logged.v, 1.2, 1e-12)
  assert close(kept_inside.v, 1.5, 1e-12)
}

// Derivatives through a part that was assigned: only what is left counts.

state row = zeros(3)
param p = 2.0

stage through = train for 1 steps {
  set row[int([0.0, 0.0, 2.0])] = [p, 3.0 * p, p * p]
  let total = sum(row)
  log slope = grad(total, wrt: p), total = total
}

test "derivatives through assigned parts" {
  assert close(through.log.total[0], 10.0, 1e-12)
  assert close(through.log.slope[0], 7.0, 1e-12)
}
