// Attend, Infer, Repeat (Eslami et al. 2016): how many digits are in a picture, where, and what they look like. With model and
// guide fixed, the estimator at three Bernoulli sites decides whether the number of digits is learned (Becker et al. 2024,
// section 7).
//
// `--set strategy=reinforce`, `=enumerate`, `='average(n: 2, inner: reinforce(baseline: leave_one_out))'` .. changes the
// estimator of all three sites, `--set particles=1` the bound. `--set small=true` is one epoch on 2,000 pictures (seconds);
// in full it runs for some ten minutes. What came out is in docs/results/air.md.

use std.dist.{normal, bernoulli}
use std.estimators.{reparam, reinforce, enumerate, mvd, average, leave_one_out}
use std.conv.{resample, scale_and_shift}
use std.nn.{dense, mlp}
use std.vi.{elbo, iwelbo, rws}
use std.optim.adam

let small = false
let strategy = mvd
// Of the third step's site.
let last = strategy
// The score with a baseline of a net, which learns along.
let learned = false
// Reweighted wake-sleep, which needs no estimator.
let wake = false
let particles = 2
let rate = 1e-3
let epochs = if small { 1 } else { 12 }
let train_size = if small { 2000 } else { 20000 }
let test_size = if small { 200 } else { 2000 }

data digits = idx("../data/mnist10k-images-idx3-ubyte.gz")
let pictures = real(digits) / 255.0
let steps = 3

// 1. The data: pictures of 0, 1 or 2 digits.

/// Where the middles of the canvas' pixels lie in a digit shrunk to `size` pixels that begins at `start`.
fn source(size, start) = (real(iota(50)) - start + 0.5) * (28.0 / size) - 0.5

/// A digit at a random place.
fn placed(digit: real[28, 28], size, at: real[2]) {
  let first = floor(at * (51.0 - size))
  reshape(resample(reshape(digit, 1, 28, 28), source(size, first[0]), source(size, first[1])), 50, 50)
}

fn digit_size() = floor(28.0 / (1.3 + 0.1 * randn()))

/// A picture and how many digits it has. The second digit is placed anew, up to eight times, where the two overlap.
fn picture(pool) {
  let count = randint(0, 3)
  let (a, b) = (pool[randint(0, size(pool, axis: 0))], pool[randint(0, size(pool, axis: 0))])
  let one = placed(a, digit_size(), rand(2))
  let size_b = digit_size()
  let places = rand(8, 2)
  let fits = for at in places { max(one + placed(b, size_b, at)) <= 1.0 }
  let two = placed(b, size_b, places[argmax(real(fits))])
  let image = select(broadcast_to(count > 0, 50, 50), one, 0.0) + select(broadcast_to(count > 1, 50, 50), two, 0.0)
  {image: min(image, 1.0), count: count}
}

/// `n` pictures, a hundred at a time.
fn many(pool, n) {
  let (_, all) = scan (done = 0) for i in 0..div(n, 100) {
    next done = done + 100
    yield for k in 0..100 { picture(pool) }
  }
  {image: reshape(all.image, n, 50, 50), count: reshape(all.count, n)}
}

let train_set = many(pictures[0..9000], train_size)
let test_set = many(pictures[9000..10000], test_size)

// 2. The model.

net decode = mlp([50, 200, 400], act: leaky_relu)

/// A digit of 20 by 20 pixels on the canvas: `where` is its inverse scale, and its place.
fn drawn(what: real[50], place: real[3]) {
  let object = reshape(sigmoid(decode(what)), 1, 20, 20)
  reshape(scale_and_shift(object, place[0], place[1], place[2], 50, 50), 50, 50)
}

let presence = [0.05, 0.05^2.3, 0.05^5.0]

model scene() {
  let canvas = scan (canvas = zeros(50, 50)) for t in 0..steps, unroll: true {
    pres ~ bernoulli(presence[t])
    place ~ normal([3.0, 0.0, 0.0], [0.2, 1.0, 1.0])
    what ~ normal(zeros(50), 1.0)
    next canvas = canvas + pres * drawn(what, place)
  }
  pixels ~ normal(canvas, 0.3)
}

// 3. The guide: a recurrent net looks at the picture and at what it has found.

/// A long short-term memory (Hochreiter and Schmidhuber 1997), gates in the order input, forget, cell, output. `seen` is what the
/// gates have of the input that stays the same.
net lstm(inputs, width)(seen: real[4 * width], x: real[inputs], h: real[width], c: real[width]) {
  net gates = dense(inputs + width, 4 * width)
  let g = seen + gates(concat(x, h))
  let (i, f, u, o) = (g[0..width], g[width..2 * width], g[2 * width..3 * width], g[3 * width..])
  let cell = sigmoid(f) * c + sigmoid(i) * tanh(u)
  (sigmoid(o) * tanh(cell), cell)
}

net look = dense(2500, 1024)
net remember = lstm(54, 256)
net predict = dense(256, 7)
net encode = mlp([400, 200, 100], act: leaky_relu)
net foretell = mlp([1280, 256, 1], act: leaky_relu)

/// The score with a baseline that learns along: where the objective is maximised, `b` follows the mean of what the rest gives.
estimator learning(d, k, b) where d.logpdf {
  let x = stop(d.sample())
  let cost = k(x)
  (cost - stop(b)) * exp(tangent(d.logpdf(x))) + stop(b) + stop(cost - b) * tangent(b)
}

/// The estimator of step `t`; `seen` and `h` are what the guide knows there.
fn at_step(t, seen, h) =
  if learned {
    learning(b: 300.0 * foretell(stop(concat(seen, h)))[0])
  } else if t == 2 { last } else { strategy }

model guide(image: real[50, 50]) {
  let seen = look(reshape(image, 2500))
  scan (s = {h: zeros(256), c: zeros(256), pres: 1.0, place: zeros(3), what: zeros(50)}) for t in 0..steps, unroll: true {
    let (h, c) = remember(seen, concat(s.place, s.what, [s.pres]), s.h, s.c)
    let a = predict(h)
    let tiny = 1e-4
    pres ~ bernoulli((tiny + sigmoid(a[0]) * s.pres) / (1.0 + 1.01 * tiny)) via at_step(t, seen, h)
    place ~ normal(a[1..4], softplus(a[4..7])) via reparam
    let crop = scale_and_shift(reshape(image, 1, 50, 50), 1.0 / place[0], -place[1] / place[0], -place[2] / place[0], 20, 20)
    let (mu, rho) = halves(encode(reshape(crop, 400)))
    what ~ normal(mu, softplus(rho)) via reparam
    next s = {h: h, c: c, pres: pres, place: place, what: what}
  }
}

fn bound(image) =
  if wake {
    rws(scene() given {pixels: image}, guide(image), particles)
  } else if particles == 1 {
    elbo(scene() given {pixels: image}, guide(image))
  } else {
    iwelbo(scene() given {pixels: image}, guide(image), particles)
  }

/// Is the number of digits that the guide draws right?
fn counted(image, count) {
  let (t, _) = sample(guide(image))
  real(sum(t.pres) == real(count))
}

stage fit = train b in train_set.shuffle().batch(64) for epochs epochs {
  maximize mean(for x in b.image { bound(x) }) over look, remember, predict, encode, decode, foretell using adam(lr: rate)
  every 1 epoch {
    log elbo = mean(for x in test_set.image { elbo(scene() given {pixels: x}, guide(x)) })
    log accuracy = mean(for r in test_set { counted(r.image, r.count) })
  }
}

test "digits are counted" {
  assert fit.log.accuracy[-1] >= if small { 0.1 } else { 0.95 }
}

test "the bound rises" {
  // It begins below -1000.
  assert fit.log.elbo[-1] > if small { -400.0 } else { 400.0 }
}
