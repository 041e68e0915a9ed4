// A small transformer (Vaswani et al. 2017; layer norm before each part) that learns to repeat: a random word of `m`
// letters, then the same word again; the second is predicted letter by letter from what came before. Runs in some
// seconds.

use std.losses.cross_entropy
use std.nn.{causal, dense, embedding, layer_norm, positions, transformer_block}
use std.optim.adam

let small = false
let letters = 8
let m = if small { 4 } else { 8 }
let n = 2 * m - 1
let width = 32
let heads = 4

/// Logits of the next letter at each position.
net transformer(layers, h, d)(word: int[t]) {
  net letter = embedding(letters, d, sd: 0.1)
  net place = positions(n, d, sd: 0.1)
  net last = layer_norm(d)
  net head = dense(d, letters)
  let seen = scan (x = place(for l in word { letter(l) })) for l in 0..layers, unroll: true {
    net block[l] = transformer_block(d, h, hidden: 2 * d, act: relu)
    next x = block[l](x, mask: causal(t))
  }
  for r in seen { head(last(r)) }
}

net predict = transformer(2, heads, width)

fn random_word() = int(floor(real(letters) * rand(m)))

/// Logits of the second half, from the word and what of its repetition stands before each letter.
fn repeated(word: int[m]) = predict(concat(word, word)[0..n])[m - 1..n]

fn loss(word) = mean(for (l, w) in (repeated(word), word) { cross_entropy(l, w) })

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
