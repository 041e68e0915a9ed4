// Nets: copies in states, stacks, parts, taps, parameters with a support.

precision f64

use std.nn.{dense, mlp}
use std.linalg.eye
use std.init.{orthogonal, truncated_normal, lecun, glorot_normal}
use std.optim.{sgd, adam}

let x = [0.5, -1.0]

net student = mlp([2, 3, 1], act: tanh)
state teacher = student

// A copy is a net of its own: it can be called, and it moves by `set` alone.

stage distil = train for 3 steps {
  minimize (student(x)[0] - 1.0)^2 + 0.0 * teacher(x)[0] over student using sgd(lr: 0.1)
  set teacher = lerp(teacher.params, student.params, 0.01)
}

stage copied = train for 3 steps {
  set teacher = zeros_like(teacher.params)
  minimize (student(x)[0] - 1.0)^2 over student using sgd(lr: 0.1)
  every 3 steps { set teacher = student }
}

stage part = train for 1 steps { minimize student(x)[0] over student except student.layer[0] using sgd(lr: 0.1) }

test "copies" {
  assert close(copied.teacher(x), copied.student(x), 0.0)
  assert close(copied.teacher.params.layer[0].w, copied.student.params.layer[0].w, 0.0)
  assert norm(distil.teacher.params - student.params) > 1e-5
  assert norm(distil.teacher.params - student.params) < 0.1 * norm(distil.student.params - student.params)
  assert close(teacher(x), student(x), 0.0)
}

test "parts, other parameters, stopped nets" {
  assert close(part.student.params.layer[0].w, student.params.layer[0].w, 0.0)
  assert close(part.student.params.layer[1].b, student.params.layer[1].b - 0.1, 1e-12)
  assert close(student.with(2.0 * student.params).params.layer[1].w, 2.0 * student.params.layer[1].w, 0.0)
  assert close(student.with(student.params)(x), student(x), 0.0)
  let g = grad(sum(stop(student)(x)) + sum(student(x)), wrt: student)
  let h = grad(sum(student(x)), wrt: student)
  assert close(g.layer[0].w, h.layer[0].w, 0.0)
}

// A stack: five nets, their parameters on one leading axis.

net ensemble[5] = mlp([2, 3, 1], act: tanh)
state frozen = ensemble

stage together = train for 20 steps {
  minimize sum(for net in ensemble { (net (x)[0] - 1.0)^2 }) over ensemble using sgd(lr: 0.1)
  log spread = sqnorm(ensemble.params.layer[0].w)
}

test "stacks of nets" {
  let out = for net in ensemble { net (x)[0] }
  assert len(ensemble) == 5
  assert size(out) == 5
  assert size(ensemble.params.layer[0].w) == 30
  assert abs(out[0] - out[1]) > 1e-6 and abs(out[3] - out[4]) > 1e-6
  assert close(ensemble[2](x)[0], out[2], 1e-12)
  assert close(ensemble[argmax(out)](x)[0], max(out), 1e-12)
  assert close(for (net, i) in (ensemble, iota(5)) { real(i) * net (x)[0] }, out * real(iota(5)), 1e-12)
  assert close(for net in frozen { net (x)[0] }, out, 0.0)
  assert close(for net in together.ensemble { net (x)[0] }, ones(5), 0.05)
}

// Taps: intermediate values by address, and derivatives by them.

net tapped(k)(x: real[2]) {
  net layer[0] = dense(2, k)
  tap pre = layer[0](x)
  tap post = tanh(pre)
  sum(post * post)
}

net first = tapped(3)
net second = tapped(4)

test "taps" {
  let (l, t) = taps(first(x))
  let back = grad(l, wrt: t)
  assert close(t.post, tanh(t.pre), 0.0)
  assert close(l, sum(t.post * t.post), 1e-12)
  assert close(back.post, 2.0 * t.post, 1e-12)
  assert close(back.pre, 2.0 * t.post * (1.0 - t.post * t.post), 1e-12)
  let (s, both) = taps(first(x) + second(x))
  assert size(both.first.pre) == 3 and size(both.second.pre) == 4
  let (m, rows) = taps(sum(for i in 0..2 { first(x * (1.0 + real(i))) }))
  let slopes = grad(m, wrt: rows)
  assert shape(rows.pre)[0] == 2
  assert close(rows.pre[0], t.pre, 1e-12)
  assert close(slopes.pre[0], back.pre, 1e-12)
}

// Parameters with a support: read inside it, moved outside of it.

param s in positive = 0.1
param u in unit = 0.25
param v: real[2] in interval(-1.0, 2.0) = [0.0, 1.9]
param o in ordered(3) = [-1.0, 0.5, 2.0]
param q in positive_ordered(3) = [1.0, 1.5, 4.0]
param weights in simplex(3) = [0.2, 0.3, 0.5]
param high in above(2.0) = 2.5
param low in below(2.0) = 1.5
param any_real in real = -3.0

net scaled(n)(x: real[n]) {
  param size in positive = ones(n)
  x * size
}

net scaling = scaled(2)

stage fit_support = train for 200 steps {
  minimize (s + 1.0)^2 + sum(v) + 20.0 * (u - 0.5)^2 + sqnorm(weights - [0.6, 0.3, 0.1]) + sum(scaling(x)) + o[0]
    over s, v, u, weights, scaling, o
    using adam(lr: 0.05)
}

stage project = train for 1 steps { set s = 3.0 }

test "supports" {
  assert close(s, 0.1, 1e-12)
  assert close(u, 0.25, 1e-12)
  assert close(v, [0.0, 1.9], 1e-12)
  assert close(o, [-1.0, 0.5, 2.0], 1e-12)
  assert close(q, [1.0, 1.5, 4.0], 1e-12)
  assert close(weights, [0.2, 0.3, 0.5], 1e-12)
  assert close(high, 2.5, 1e-12) and close(low, 1.5, 1e-12) and close(any_real, -3.0, 0.0)
  assert close(scaling(x), x, 1e-12)
  assert fit_support.s > 0.0 and fit_support.s < 0.1
  assert all(fit_support.v > -1.0) and all(fit_support.v < 0.0)
  assert close(fit_support.u, 0.5, 1e-3)
  assert close(fit_support.weights, [0.6, 0.3, 0.1], 0.02)
  assert close(sum(fit_support.weights), 1.0, 1e-12)
  assert fit_support.o[0] < -5.0 and close(fit_support.o[2] - fit_support.o[0], 3.0, 1e-9)
  assert fit_support.scaling.params.size[0] < 1.0 and fit_support.scaling.params.size[1] > 1.0
  assert close(project.s, 3.0, 1e-12)
  assert close(grad(s * s, wrt: s), 0.2, 1e-12)
}

// Records as vectors.

test "flatten and unflatten" {
  let r = {a: [1.0, 2.0], b: {c: [[3.0], [4.0]]}}
  let v = flatten(r)
  let back = unflatten(2.0 * v, like: r)
  assert close(v, [1.0, 2.0, 3.0, 4.0], 0.0)
  assert close(back.b.c, [[6.0], [8.0]], 0.0)
  assert close(dot(r, back), 60.0, 1e-12)
}

// First values. With 40,000 draws the variance is within 5 standard errors (5 * sqrt(2 / 40000) = 3.6%) with probability 1 - 6e-7.

test "initialisers" {
  let w = orthogonal(3, 5)
  let v = orthogonal(5, 3)
  assert close(w @ w.T, eye(3), 1e-12) and close(v.T @ v, eye(3), 1e-12)
  assert close(sqnorm(lecun(200, 200)) / 200.0, 1.0, 0.036)
  assert close(sqnorm(glorot_normal(200, 200)) / 200.0, 1.0, 0.036)
  let t = truncated_normal([200, 200], sd: 2.0)
  assert max(abs(t)) <= 4.0
  assert close(sqrt(sqnorm(t) / 40000.0), 2.0 * 0.8796, 0.03)
}

net of_three[2] = dense(3, 2)

test "a derivative by a record of nets is a record of theirs" {
  let one = of_three[0]
  let model = {one, scale: 2.0}
  let value = |m| m.scale * sum(m.one([1.0, 2.0, 3.0]))
  let g = grad(value(model), wrt: model)
  assert close(g.one.b, [2.0, 2.0], 1e-6)
  assert close(g.one.w[.., 0], [2.0, 4.0, 6.0], 1e-6)
  assert close(g.scale, value(model) / 2.0, 1e-5)
}
