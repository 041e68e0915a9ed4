precision f64

use std.dist.{normal, bernoulli, uniform}
use std.inference.masked
use std.vi.elbo
use std.testing.unbiased

fn n01(x) = normal(0.0, 1.0).logpdf(x)

model inner(mu) {
  w ~ normal(mu, 1.0)
  for i in 0..3 { v ~ normal(w, 1.0) }
}

model outer() {
  a ~ normal(0.0, 1.0)
  h ~ inner(a)
  for i in 0..2 { k ~ inner(a + real(i)) }
}

test "addresses" {
  let t = {a: 1.0, h: {w: 2.0, v: [1.0, 2.0, 3.0]}}
  assert only(t, [.h.w]).h.w == 2.0
  assert len(without(t, [.a, .h.w]).h.v) == 3
  assert at(t, .h.v)[1] == 2.0
  assert merge({h: {w: 1.0}}, place(.h.v, 2.0)).h.v == 2.0
  assert close(logdensity(inner(1.0), t.h), n01(1.0) + n01(-1.0) + n01(0.0) + n01(1.0), 1e-12)
}

test "models within models, in plates" {
  let (t, w) = sample(outer())
  assert shape(t.k.v)[0] == 2 and shape(t.k.v)[1] == 3
  assert close(logdensity(outer(), t), w, 1e-12)
  let m = outer() given {h: {w: 0.5}, k: {v: zeros(2, 3)}}
  let (rest, lw) = sample(m)
  assert close(logdensity(m, rest), lw, 1e-12)
  let whole = merge(rest, {h: {w: 0.5}, k: {v: zeros(2, 3)}})
  assert close(logdensity(outer(), whole), lw, 1e-12)
  let all = m given {h: {v: ones(3)}, k: {w: [1.0, 2.0]}}
  let (left, _) = sample(all)
  assert close(logdensity(all, {a: left.a}), logdensity(outer(), {a: left.a, h: {w: 0.5, v: ones(3)}, k: {w: [1.0, 2.0], v: zeros(2, 3)}}), 1e-12)
}

test "what is known of the sites" {
  let all = sites(outer() given {h: {w: 0.5}})
  assert len(all) == 4
  assert all[3].shape[0] == 2 and all[3].shape[1] == 3
  assert len(all[0].shape) == 0
  assert len(sites(outer(), only: [.h])) == 2 and len(sites(outer(), without: [.h.w])) == 4
  model finite() { b ~ bernoulli(0.3) }
  assert sites(finite())[0].low == 0.0 and sites(finite())[0].high == 1.0
}

model lists() {
  for m in [0.0, 1.0, 2.0] { a ~ normal(m, 1.0) }
  let end = scan (c = 0.0) for f in [sin, cos], unroll: true {
    b ~ normal(f(c), 1.0)
    next c = b
  }
  let last = scan (c = end) for i in 0..4 {
    d ~ normal(c, 1.0)
    next c = d
  }
  y ~ normal(last, 1.0)
}

test "sites in lists and loops" {
  let (t, w) = sample(lists())
  assert len(t.a) == 3 and len(t.b) == 2 and len(t.d) == 4
  assert close(logdensity(lists(), t), w, 1e-12)
  let zero = {a: [0.0, 1.0, 2.0], b: [0.0, 1.0], d: ones(4), y: 1.0}
  assert close(logdensity(lists(), zero), 10.0 * n01(0.0), 1e-12)
  let (rest, lw) = sample(lists() given {a: t.a, b: t.b, d: t.d})
  assert close(lw, logdensity(lists(), {..t, y: rest.y}), 1e-12)
}

model choice(p) {
  c ~ bernoulli(p)
  if c > 0.5 {
    x ~ normal(5.0, 1.0)
    y ~ normal(x, 1.0)
  } else {
    x ~ normal(-5.0, 2.0)
    y ~ normal(0.0, 1.0)
  }
}

test "sites on both sides" {
  let t = {x: 4.0, y: 1.0}
  let yes = logdensity(choice(0.3), {..t, c: 1.0})
  let no = logdensity(choice(0.3), {..t, c: 0.0})
  assert close(yes, log(0.3) + n01(-1.0) + n01(-3.0), 1e-12)
  assert close(no, log(0.7) + normal(-5.0, 2.0).logpdf(4.0) + n01(1.0), 1e-12)
  let (s, w) = sample(choice(1.0))
  assert s.x > 0.0 and close(logdensity(choice(1.0), s), w, 1e-12)
  let m = for p in [0.0, 1.0] {
    let (t, _) = sample(choice(p))
    t.x
  }
  assert m[0] < 2.0 and m[1] > 0.0
}

test "derivatives through sites on both sides" {
  // E x^2 = p (m^2 + 1) + (1 - p) 4.
  fn f(p, m) = expect {
    c ~ bernoulli(p)
    if c > 0.5 { x ~ normal(m, 1.0); x * x } else { x ~ normal(0.0, 2.0); x * x }
  }
  let (p, m) = (0.4, 1.5)
  assert unbiased(|_| grad(f(p, m), wrt: m), truth: 2.0 * 0.4 * 1.5)
  assert unbiased(|_| grad(f(p, m), wrt: p), truth: 1.5 * 1.5 + 1.0 - 4.0, scale: 4.0)
}

model rows(x: real[n], total) {
  w ~ normal(0.0, 1.0)
  for v in x, of: total {
    y ~ normal(w * v, 1.0)
    factor v
  }
}

model row_guide(x: real[n], total) {
  for v in x, of: total { z ~ normal(v, 1.0) }
}

test "a plate that is a sample" {
  let x = [0.5, 1.0]
  let one = {w: 0.3, y: [0.1, 0.2]}
  let inside = normal(0.15, 1.0).logpdf(0.1) + normal(0.3, 1.0).logpdf(0.2) + 1.5
  assert close(logdensity(rows(x, 10), one), n01(0.3) + 5.0 * inside, 1e-12)
  assert close(logdensity(rows(x, 2), one), n01(0.3) + inside, 1e-12)
  let (t, w) = sample(row_guide(x, 8))
  assert close(w, 4.0 * (n01(t.z[0] - 0.5) + n01(t.z[1] - 1.0)), 1e-12)
}

test "models of functions" {
  fn draw() {
    let x = randn(2)
    ({x: x}, n01(x[0]) + n01(x[1]))
  }
  let m = generative(sample: draw, density: |t| n01(t.x[0]) + n01(t.x[1]), name: "pair")
  let (t, w) = sample(m)
  assert close(logdensity(m, t), w, 1e-12)
  model around() {
    u ~ m
    for i in 0..4 { k ~ m }
    y ~ normal(u.x[0] + u.x[1], 1.0)
  }
  let (s, lw) = sample(around())
  assert shape(s.k.x)[0] == 4 and shape(s.k.x)[1] == 2
  let parts = n01(s.u.x[0]) + n01(s.u.x[1]) + sum(for x in s.k.x { n01(x[0]) + n01(x[1]) })
  assert close(lw, parts + normal(s.u.x[0] + s.u.x[1], 1.0).logpdf(s.y), 1e-12)
  assert close(logdensity(m given {x: [1.0, 2.0]}, {}), n01(1.0) + n01(2.0), 1e-12)
  assert len(sites(m)) == 1
}

model partly(seen) {
  mu ~ normal(0.0, 1.0)
  for s in seen { y ~ masked(normal(mu, 1.0), s) }
}

test "missing lanes" {
  let m = partly([true, false, true]) given {y: [0.5, nan, -1.0]}
  let mu = 0.2
  assert close(logdensity(m, {mu}), n01(0.2) + n01(0.3) + n01(-1.2), 1e-12)
  assert close(grad(logdensity(m, {mu}), wrt: mu), -0.2 + 0.3 - 1.2, 1e-12)
}

test "a guide with a loop" {
  fn bound(m) {
    model p() {
      scan (c = 0.0) for i in 0..3 {
        s ~ normal(c, 1.0)
        next c = s
      }
    }
    model q() { scan (c = 0.0) for v in m { s ~ normal(v, 0.5) } }
    elbo(p(), q())
  }
  fn exact(m) {
    let before = concat([0.0], m[0..2])
    // E log p - E log q, with a variance of 1/4 at each step and of the step before.
    -0.5 * (sqnorm(m - before) + 3.0 * 0.25 + 2.0 * 0.25) - 1.5 * log(2.0 * pi) + 1.5 + 1.5 * log(2.0 * pi) + 3.0 * log(0.5)
  }
  let m = [0.5, -0.3, 1.0]
  assert unbiased(|_| bound(m), truth: exact(m))
  assert unbiased(|_| grad(bound(m), wrt: m), truth: grad(exact(m), wrt: m))
}

test "a guide of a sample" {
  // Each of 2 lanes stands for 5: the bound is unbiased for that of all rows, and its derivative too.
  fn bound(m) {
    model p(x) { for v in x, of: 10 { z ~ normal(v, 1.0) } }
    model q(x) { for v in x, of: 10 { z ~ normal(m * v, 1.0) } }
    elbo(p([0.5, 1.0]), q([0.5, 1.0]))
  }
  let m = 0.4
  assert unbiased(|_| bound(m), truth: -0.5 * 5.0 * 1.25 * 0.36)
  assert unbiased(|_| grad(bound(m), wrt: m), truth: 5.0 * 1.25 * 0.6)
}
