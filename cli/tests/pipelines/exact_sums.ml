precision f64

use std.dist.normal
use std.inference.marginal

/// An index with the given probabilities, whose values are listed.
dist index(p) on natural {
  logpdf(x) = log(p[int(x)])
  sample() = real(argmax(log(p) - log(-log(rand(shape(p))))))
  support() = real(iota(len(p)))
}

let first = [0.6, 0.4]
let moves = [[0.9, 0.1], [0.3, 0.7]]
let means = [-1.0, 2.0]
let y = [-0.5, 0.3, 1.9, 2.2, -1.4]

model hmm(y: real[n]) {
  start ~ index(first)
  let (_, all) = scan (z = start) for v in y {
    s ~ index(moves[int(z)])
    y ~ normal(means[int(s)], 0.8)
    next z = s
    yield v
  }
}

/// The forward algorithm, by hand.
fn forward(y, m) {
  let scores = for v in y { for k in m { normal(k, 0.8).logpdf(v) } }
  let end = scan (a = log(first)) for row in scores {
    next a = logsumexp(for c in log(transpose(moves)) { c + a }, axis: 1) + row
  }
  logsumexp(end)
}

test "a chain" {
  let m = marginal(hmm(y) given {y}, sum: [.start, .s])
  assert close(logdensity(m, {}), forward(y, means), 1e-12)
  let (t, w) = sample(m)
  assert close(w, forward(y, means), 1e-12)
}

test "derivatives of a chain" {
  fn by_compiler(means) {
    model chain() {
      start ~ index(first)
      scan (z = start) for v in y {
        s ~ index(moves[int(z)])
        y ~ normal(means[int(s)], 0.8)
        next z = s
      }
    }
    logdensity(chain() given {y}, {}, sum: [.start, .s])
  }
  let m = means + 0.0
  assert close(by_compiler(m), forward(y, m), 1e-12)
  assert close(grad(by_compiler(m), wrt: m), grad(forward(y, m), wrt: m), 1e-11)
}

// The carry is a function of the site, with a known start, and the last carry is used behind the loop.
model carried(n) {
  let end = scan (level = -4.0) for i in 0..n {
    s ~ index(softmax([level, 0.5]))
    y ~ normal(level * s, 1.0)
    next level = 2.0 * s - 1.0
  }
  last ~ normal(end, 1.0)
}

fn brute(y, last) {
  let n = len(y)
  fn path(i, level) = if i == n {
    normal(level, 1.0).logpdf(last)
  } else {
    logsumexp(for s in [0.0, 1.0] {
      index(softmax([level, 0.5])).logpdf(s) + normal(level * s, 1.0).logpdf(y[i]) + path(i + 1, 2.0 * s - 1.0)
    })
  }
  path(0, -4.0)
}

test "a carry that is a function of the site" {
  let found = for n in [1, 2, 4] { logdensity(carried(n) given {y: y[0..n], last: 0.3}, {}, sum: .s) }
  assert close(found, for n in [1, 2, 4] { brute(y[0..n], 0.3) }, 1e-12)
}

model mixture(n) {
  for i in 0..n {
    z ~ index(first)
    y ~ normal(means[int(z)], 1.0)
  }
}

test "a plate is summed lane by lane" {
  let by_hand = for v in y { logsumexp(for k in 0..2 { log(first[k]) + normal(means[k], 1.0).logpdf(v) }) }
  let m = marginal(mixture(5), sum: .z)
  assert close(logdensity(m, {y}), sum(by_hand), 1e-12)
  let (t, w) = sample(m)
  assert len(t.y) == 5
  assert close(logdensity(m, t), w, 1e-12)
}

model two() {
  a ~ index([0.2, 0.8])
  b ~ index([0.1 + 0.5 * a, 0.9 - 0.5 * a])
  x ~ normal(a + 2.0 * b, 1.0)
  for i in 0..3 { y ~ normal(b, 1.0) }
}

test "two sites, one after the other" {
  let t = {x: 0.4, y: [0.1, 0.2, 1.3]}
  let all = for a in [0.0, 1.0], b in [0.0, 1.0] { logdensity(two(), {..t, a, b}) }
  assert close(logdensity(two(), t, sum: [.a, .b]), logsumexp(all), 1e-12)
  let given_a = for b in [0.0, 1.0] { logdensity(two(), {..t, a: 1.0, b}) }
  assert close(logdensity(two() given {a: 1.0}, t, sum: .b), logsumexp(given_a), 1e-12)
}

model level() {
  k ~ index(first)
  means[int(k)]
}

model nested() {
  h ~ level()
  x ~ normal(h, 1.0)
}

test "a site of a model within a model" {
  let by_hand = logsumexp(for k in 0..2 { log(first[k]) + normal(means[k], 1.0).logpdf(0.7) })
  assert close(logdensity(nested(), {x: 0.7}, sum: .h.k), by_hand, 1e-12)
}

model sequences(n) {
  for i in 0..n {
    scan (z = 0.0) for j in 0..5 {
      s ~ index(moves[int(z)])
      y ~ normal(means[int(s)], 0.8)
      next z = s
    }
  }
}

test "chains in a plate, and unrolled" {
  let ys = stack([y, 0.5 * y])
  model one() {
    scan (z = 0.0) for j in 0..5, unroll: true {
      s ~ index(moves[int(z)])
      y ~ normal(means[int(s)], 0.8)
      next z = s
    }
  }
  let apart = for v in ys { logdensity(one() given {y: v}, {}, sum: .s) }
  assert close(logdensity(sequences(2) given {y: ys}, {}, sum: .s), sum(apart), 1e-12)
}

dist coin(p) on unit {
  logpdf(x) = log(if x > 0.5 { p } else { 1.0 - p })
  sample() = real(rand() < p)
  support() = [0.0, 1.0]
}

// A counter, a decay and a record of the site as carries, an open site, and a loop that yields.
model several(n) {
  let (end, out) = scan (t = 0, level = 1.0, z = {a: 0.0, b: 1.0}) for i in 0..n {
    s ~ coin(0.2 + 0.5 * z.a + 0.1 * level)
    o ~ normal(level * s + z.b, 1.0)
    y ~ normal(o + real(t), 0.5 + 0.1 * real(i))
    next t = t + 1
    next level = 0.5 * level
    next z = {a: s, b: 1.0 - s}
    yield level
  }
  w ~ normal(end.z.a + end.level + sum(out), 1.0)
}
fn by_paths(n, o, y, w) {
  fn path(i, level, a, b) = if i == n {
    normal(a + level + sum(for k in 0..n { 0.5^real(k) }), 1.0).logpdf(w)
  } else {
    logsumexp(for s in [0.0, 1.0] {
      coin(0.2 + 0.5 * a + 0.1 * level).logpdf(s) + normal(level * s + b, 1.0).logpdf(o[i]) + normal(o[i] + real(i), 0.5 + 0.1 * real(i)).logpdf(y[i]) + path(i + 1, 0.5 * level, s, 1.0 - s)
    })
  }
  path(0, 1.0, 0.0, 1.0)
}
test "many carries" {
  let o = [0.3, 0.9, -0.2, 1.1]
  let y = [0.1, 2.0, 1.5, 4.0]
  assert close(logdensity(several(4), {o, y, w: 1.0}, sum: .s), by_paths(4, o, y, 1.0), 1e-12)
  assert close(logdensity(several(1), {o: o[0..1], y: y[0..1], w: 1.0}, sum: .s), by_paths(1, o, y, 1.0), 1e-12)
  assert close(logdensity(several(2) given {y: y[0..2]}, {o: o[0..2], w: 1.0}, sum: .s), by_paths(2, o, y, 1.0), 1e-12)
  let many = for k in [1.0, 2.0] { logdensity(several(4), {o: k * o, y, w: 1.0}, sum: .s) }
  assert close(many[1], by_paths(4, 2.0 * o, y, 1.0), 1e-12)
  let v = for k in stack([1.0, 2.0]) { logdensity(several(4), {o: k * o, y, w: 1.0}, sum: .s) }
  assert close(many, v, 1e-12)
  let g = grad(logdensity(several(4), {o, y, w: 1.0}, sum: .s), wrt: o)
  assert close(g, grad(by_paths(4, o, y, 1.0), wrt: o), 1e-11)
  let h = hvp(logdensity(several(4), {o, y, w: 1.0}, sum: .s), wrt: o, along: y)
  assert close(h, hvp(by_paths(4, o, y, 1.0), wrt: o, along: y), 1e-10)
}
// A plate inside a chain, and a chain that starts where another ends.
model linked() {
  let a = scan (z = 0.0) for i in 0..3 {
    s ~ coin(0.3 + 0.3 * z)
    for j in 0..2 { y ~ normal(s + real(j), 1.0) }
    next z = s
  }
  let b = scan (z = a) for i in 0..2 {
    r ~ coin(0.6 - 0.3 * z)
    x ~ normal(2.0 * r, 1.0)
    next z = 1.0 - r
  }
  v ~ normal(b, 1.0)
}
test "one chain starts another" {
  let y = [[0.1, 0.2], [1.0, 0.4], [0.3, 1.2]]
  let x = [0.5, 1.5]
  let all = for a in [0.0, 1.0], b in [0.0, 1.0], c in [0.0, 1.0], d in [0.0, 1.0], e in [0.0, 1.0] {
    logdensity(linked(), {s: stack([a, b, c]), y, r: stack([d, e]), x, v: 0.3})
  }
  assert close(logdensity(linked(), {y, x, v: 0.3}, sum: [.s, .r]), logsumexp(flatten(all)), 1e-12)
}

model factorial(y: real[n]) {
  scan (a = 0.0, b = 1.0) for v in y {
    s ~ index(moves[int(a)])
    r ~ coin(0.2 + 0.3 * b + 0.4 * s)
    extra ~ coin(0.3 + 0.2 * r)
    y ~ normal(s + 2.0 * r - extra, 0.7)
    next a = s
    next b = r
  }
}

test "two chains side by side" {
  let y = y[0..2]
  let m = factorial(y) given {y}
  let all = for a in [0.0, 1.0], b in [0.0, 1.0], c in [0.0, 1.0], d in [0.0, 1.0], e in [0.0, 1.0], f in [0.0, 1.0] {
    logdensity(m, {s: stack([a, b]), r: stack([c, d]), extra: stack([e, f])})
  }
  assert close(logdensity(m, {}, sum: [.s, .r, .extra]), logsumexp(flatten(all)), 1e-12)
}
