// What differs between training and use: dropout, and batch norms with their running statistics; states of nets.

precision f64

use std.nn.{dropout, drop_path, batch_norm, apply, rows, sequential, residual, dense, conv2d}
use std.dist.normal
use std.optim.sgd
use std.testing.gradients_match
use std.vi.elbo

fn some(sizes, from = 0.0) = reshape(sin(from + real(iota(size(zeros(sizes))))), sizes)

// 40,000 draws: within five standard errors, sqrt(0.3 / 0.7 / 40000) of a mean, with a probability of 1 - 6e-7.
test "dropout keeps the mean" {
  let ones_of = ones(200, 200)
  let y = dropout(ones_of, 0.3, train: true)
  assert close(mean(y), 1.0, 5.0 * sqrt(0.3 / 0.7 / 40000.0))
  assert all(y == 0.0 or abs(y - 1.0 / 0.7) < 1e-12)
  assert close(real(count(y == 0.0)) / 40000.0, 0.3, 5.0 * sqrt(0.3 * 0.7 / 40000.0))
  let paths = for i in 0..40000 { drop_path([1.0, 2.0], 0.3, train: true) }
  assert close(mean(paths, axis: 0), [1.0, 2.0], 10.0 * sqrt(0.3 / 0.7 / 40000.0))
  assert close(2.0 * paths[.., 0], paths[.., 1], 1e-12)
}

test "dropout is nothing outside of training" {
  let x = some([3, 4])
  assert close(dropout(x, 0.3), x, 0.0) and close(drop_path(x, 0.3), x, 0.0)
  assert close(dropout(x, 0.0, train: true), x, 0.0) and close(drop_path(x, 0.0, train: true), x, 0.0)
  assert close(dropout(x, 0.3, train: false), x, 0.0)
}

test "a derivative sees what was kept" {
  let x = ones(100)
  let (v, g) = value_and_grad(sum(square(with_key(1) dropout(x, 0.5, train: true))), wrt: x)
  assert close(g, 2.0 * square(with_key(1) dropout(ones(100), 0.5, train: true)), 1e-12)
}

net wet = sequential([dense(3, 50), apply(dropout(rate: 0.5), modal: true), dense(50, 1)])

test "parts are told" {
  let x = [1.0, 2.0, 3.0]
  assert close(wet(x), wet(x), 0.0)
  let (a, b) = (wet(x, train: true), wet(x, train: true))
  assert not close(a, b, 1e-9)
}

// Batch norms.

let table = {x: some([12, 2])}
net norm_of = batch_norm(2)
net slow = batch_norm(2, rate: 0.5)

stage track = train b in table.batch(4) for 1 epochs {
  let (y, moved) = nexts(norm_of(b.x, train: true))
  minimize mean(square(y)) over norm_of using sgd(lr: 0.0)
  set norm_of.states = moved
}

/// What three batches make of running means and variances.
fn running(rate) = scan (m = zeros(2), v = ones(2)) for k in 0..3, unroll: true {
  let rows_of = table.x[4 * k..4 * k + 4]
  next m = (1.0 - rate) * m + rate * mean(rows_of, axis: 0)
  next v = (1.0 - rate) * v + rate * var(rows_of, axis: 0, ddof: 1)
}

test "running statistics after three steps" {
  let r = track.norm_of.states.running
  assert close(r.mean, running(0.1).m, 1e-14) and close(r.var, running(0.1).v, 1e-14)
  // As the net has them before any step.
  assert close(norm_of.states.running.mean, zeros(2), 0.0) and close(norm_of.states.running.var, ones(2), 0.0)
}

test "a batch is normalised by itself in training, and by what ran along afterwards" {
  let x = some([5, 2], from: 3.0)
  let p = {scale: [2.0, 3.0], shift: [0.5, -0.5]}
  let by_batch = for r in x { (r - mean(x, axis: 0)) / sqrt(var(x, axis: 0) + 1e-5) * p.scale + p.shift }
  assert close(norm_of.with(p)(x, train: true), by_batch, 1e-14)
  let by_running = for r in x { (r - running(0.1).m) / sqrt(running(0.1).v + 1e-5) }
  assert close(track.norm_of(x), by_running, 1e-14)
  assert close(norm_of(x), x / sqrt(1.0 + 1e-5), 1e-14)
  // One row, or none that differ.
  assert all(is_finite(norm_of(ones(1, 2), train: true)))
}

test "channels of pictures" {
  let x = some([3, 2, 4, 5])
  let y = norm_of(x, train: true)
  let c = x[.., 1]
  assert close(y[.., 1], (c - mean(c)) / sqrt(var(c) + 1e-5), 1e-13)
  let (_, moved) = nexts(norm_of(x, train: true))
  assert close(moved.running.mean[1], 0.1 * mean(c), 1e-14)
  assert close(moved.running.var[1], 0.9 + 0.1 * var(c, ddof: 1), 1e-14)
}

test "small batches" {
  // Of two rows, 1 and 4: the mean 2.5, the variance 2.25, which is 4.5 without bias.
  let (_, two_rows) = nexts(slow([[1.0, 0.0], [4.0, 0.0]], train: true))
  assert close(two_rows.running.mean, [1.25, 0.0], 1e-15) and close(two_rows.running.var, [2.75, 0.5], 1e-15)
  let (_, one_row) = nexts(slow([[1.0, 2.0]], train: true))
  assert close(one_row.running.var, [0.5, 0.5], 1e-15)
}

test "derivatives agree with differences" {
  let (x, w) = (some([4, 2]), some([4, 2], from: 1.0))
  assert gradients_match(|x| sum(w * norm_of(x, train: true)), at: x)
  assert gradients_match(|p| sum(w * sin(norm_of.with(p)(x, train: true))), at: norm_of.params)
  assert gradients_match(|x| sum(w * sin(norm_of(x))), at: x)
}

// States of nets within nets, copies, other parameters.

net classify = sequential([rows(dense(2, 3)), batch_norm(3), apply(relu), residual(batch_norm(3)), rows(dense(3, 1))])
state teacher = classify

stage fit = train b in table.shuffle().batch(4) for 3 epochs {
  let (loss, moved) = nexts(mean(square(classify(b.x, train: true) - 1.0)))
  minimize loss over classify using sgd(lr: 0.05)
  set classify.states = moved
  every 9 steps { set teacher = classify }
}

stage reset = train for 1 steps after fit { set classify.states.layer[1].running.mean = [1.0, 2.0, 3.0] }

test "nets within nets" {
  let s = fit.classify.states
  assert not close(s.layer[1].running.mean, zeros(3), 1e-6) and not close(s.layer[3].inner.running.var, ones(3), 1e-6)
  assert close(reset.classify.states.layer[1].running.mean, [1.0, 2.0, 3.0], 0.0)
  assert close(reset.classify.states.layer[1].running.var, s.layer[1].running.var, 0.0)
}

test "copies and other parameters" {
  let x = table.x
  assert close(fit.teacher(x), fit.classify(x), 0.0)
  assert close(fit.teacher.states.layer[1].running.mean, fit.classify.states.layer[1].running.mean, 0.0)
  assert close(teacher(x), classify(x), 0.0) and not close(fit.teacher(x), teacher(x), 1e-6)
  // Other parameters with the states of the stage; and both from elsewhere.
  let p = fit.classify.params
  assert close(fit.classify.with(p)(x), fit.classify(x), 0.0)
  assert not close(classify.with(p)(x), fit.classify(x), 1e-6)
  let bn = {scale: ones(2), shift: zeros(2), running: {mean: [1.0, 2.0], var: [4.0, 9.0]}}
  assert close(norm_of.with(bn)([[3.0, 5.0]]), [[2.0 / sqrt(4.0 + 1e-5), 3.0 / sqrt(9.0 + 1e-5)]], 1e-14)
  assert close(norm_of.with(bn).states.running.var, [4.0, 9.0], 0.0)
}

net counted(k)(x: real) {
  param w = 1.0
  state seen = 0
  state total = 0.0
  next seen = seen + k
  next total = total + x
  w * x + 0.0 * total
}

net one = counted(1)
net two = counted(10)

stage count_calls = train for 3 steps {
  let (y, moved) = nexts(one(real(step)) * two(2.0))
  minimize y over one using sgd(lr: 0.0)
  set one.states = moved.one
  set two.states.seen = moved.two.seen
}

test "several nets" {
  assert count_calls.one.states.seen == 3 and count_calls.one.states.total == 3.0
  assert count_calls.two.states.seen == 30 and count_calls.two.states.total == 0.0
  // Lanes have a value each.
  let (y, moved) = nexts(for i in 0..4 { one(real(i)) })
  assert close(moved.total, [0.0, 1.0, 2.0, 3.0], 0.0)
  assert close(one(2.0), 2.0, 0.0)
}

// What is set before any call; and taps of a net whose parameters are looked at first.

net idle = counted(1)

net watched()(x: real) {
  param w = 2.0
  tap h = w * x
  square(h)
}

net eye = watched()

fn weighed(x) {
  let size = norm(eye.params)
  eye(x) + 0.0 * size
}

stage put_first = train for 1 steps {
  set idle.states.seen = 7
  set idle.states.total = 2.5
  let (y, t) = taps(weighed(3.0))
  log h = t.h
}

// In an objective, what no draw decides.

net encode = counted(2)
param offset = 0.5

stage objective = train for 2 steps {
  let (l, moved) = nexts(expect {
    z ~ normal(encode(1.5), 1.0)
    square(z - offset)
  })
  minimize l over offset using sgd(lr: 0.0)
  set encode.states = moved
}

model seen_by(offset) {
  z ~ normal(offset, 1.0)
  x ~ normal(z, 1.0)
}

net inferred = counted(3)

model guess() { z ~ normal(inferred(0.5), 1.0) }

stage bound = train for 2 steps {
  let (l, moved) = nexts(elbo(seen_by(0.0) given {x: 1.0}, guess()))
  maximize l over inferred using sgd(lr: 0.0)
  set inferred.states = moved
}

test "in a bound" { assert bound.inferred.states.seen == 6 and bound.inferred.states.total == 1.0 }

test "before any call" {
  assert put_first.idle.states.seen == 7 and put_first.idle.states.total == 2.5
  assert put_first.log.h[0] == 6.0
}

test "in an expect" { assert objective.encode.states.seen == 4 and objective.encode.states.total == 3.0 }
