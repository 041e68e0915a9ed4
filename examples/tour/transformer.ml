// A small transformer (Vaswani et al. 2017; layer norm before each part) that learns to repeat: a random word of `m`
// letters, then the same word again; the second is predicted letter by letter from what came before. Runs in some
// seconds.

use std.nn.mlp
use std.optim.adam

let small = false
let letters = 8
let m = if small { 4 } else { 8 }
let n = 2 * m - 1
let width = 32
let heads = 4

fn layer_norm(x: real[t, d]) = for r in x { (r - mean(r)) / sqrt(var(r) + 1e-5) }

/// Attention of each position to itself and those before it, in `h` heads of `k` numbers.
net attention(h, d)(x: real[t, d]) {
  let k = div(d, h)
  param wq: real[h, d, k] = randn([h, d, k]) / sqrt(real(d))
  param wk: real[h, d, k] = randn([h, d, k]) / sqrt(real(d))
  param wv: real[h, d, k] = randn([h, d, k]) / sqrt(real(d))
  param wo: real[h, k, d] = randn([h, k, d]) / sqrt(real(d))
  let query = einsum([a, p, c], x[p, j], wq[a, j, c])
  let key = einsum([a, p, c], x[p, j], wk[a, j, c])
  let value = einsum([a, p, c], x[p, j], wv[a, j, c])
  let scores = einsum([a, p, q], query[a, p, c], key[a, q, c]) / sqrt(real(k))
  let seen = tril(ones(t, t)) > 0.5
  let weights = for s in scores { softmax(select(seen, s, -inf)) }
  einsum([p, j], weights[a, p, q], value[a, q, c], wo[a, c, j])
}

/// Logits of the next letter at each position.
net transformer(layers, h, d)(word: int[t]) {
  param embed: real[letters, d] = 0.1 * randn([letters, d])
  param place: real[n, d] = 0.1 * randn([n, d])
  param head: real[d, letters] = randn([d, letters]) / sqrt(real(d))
  let last = scan (x = one_hot(word, letters) @ embed + place) for l in 0..layers, unroll: true {
    net look[l] = attention(h, d)
    net think[l] = mlp([d, 2 * d, d], act: relu)
    let y = x + look[l](layer_norm(x))
    next x = y + for r in layer_norm(y) { think[l](r) }
  }
  layer_norm(last) @ head
}

net predict = transformer(2, heads, width)

fn random_word() = int(floor(real(letters) * rand(m)))

/// Logits of the second half, from the word and what of its repetition stands before each letter.
fn repeated(word: int[m]) = predict(concat(word, word)[0..n])[m - 1..n]

fn loss(word) = mean(for (l, w) in (repeated(word), word) { -log_softmax(l)[w] })

/// The share of letters that are right.
fn accuracy(word) = mean(real(argmax(repeated(word), axis: 1) == word))

stage fit = train for if small { 60 } else { 200 } steps {
  minimize mean(for i in 0..32 { loss(random_word()) }) over predict using adam(lr: 3e-3)
  every 20 steps { log accuracy = mean(for i in 0..64 { accuracy(random_word()) }) }
}

test "the word is repeated" {
  assert fit.log.accuracy[-1] >= if small { 0.8 } else { 0.99 }
}

test "what comes later changes nothing before it" {
  let a = with_key(1) random_word()
  let b = with_key(2) random_word()
  let (p, q) = (fit.predict(concat(a, a)[0..n]), fit.predict(concat(a, b)[0..n]))
  assert close(p[0..m], q[0..m], 0.0)
  assert not close(p[m..], q[m..], 1e-3)
}
