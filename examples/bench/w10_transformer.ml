// Steps of a small causal transformer: width 64, two layers, four heads, 64 letters of 64 kinds, batches of 16.

use std.optim.adam

let (d, heads, length, kinds, batch) = (64, 4, 64, 64, 16)

net layer_norm(d)(x: real[n, d]) {
  param gamma = ones(d)
  param beta = zeros(d)
  for row in x {
    let centred = row - mean(row)
    centred / sqrt(mean(centred^2) + 1e-5) * gamma + beta
  }
}

net linear(inputs, outputs)(x: real[n, inputs]) {
  param w: real[inputs, outputs] = randn([inputs, outputs]) / sqrt(real(inputs))
  x @ w
}

net attention(d, heads)(x: real[n, d]) {
  let k = div(d, heads)
  net project = linear(d, 3 * d)
  net join = linear(d, d)
  let qkv = reshape(project(x), n, 3, heads, k)
  let (q, key, v) = (qkv[.., 0], qkv[.., 1], qkv[.., 2])
  let scores = einsum([h, i, j], q[i, h, c], key[j, h, c]) / sqrt(real(k))
  let before = tril(ones(n, n)) > 0.5
  let weights = for s in scores { for (row, seen) in (s, before) { softmax(select(seen, row, -1e30)) } }
  join(reshape(einsum([i, h, c], weights[h, i, j], v[j, h, c]), n, d))
}

/// x times the normal distribution function, by tanh.
fn gelu(x) = 0.5 * x * (1.0 + tanh(0.7978845608 * (x + 0.044715 * x^3)))

net block(d, heads)(x: real[n, d]) {
  net norm_a = layer_norm(d)
  net look = attention(d, heads)
  net norm_b = layer_norm(d)
  net up = linear(d, 4 * d)
  net down = linear(4 * d, d)
  let h = x + look(norm_a(x))
  h + down(gelu(up(norm_b(h))))
}

net language(layers, heads)(word: int[n]) {
  param letter: real[kinds, d] = randn([kinds, d]) / sqrt(real(kinds))
  param place: real[n, d] = randn([n, d]) / sqrt(real(n))
  let last = scan (x = letter[word] + place) for l in 0..layers, unroll: true {
    net layer[l] = block(d, heads)
    next x = layer[l](x)
  }
  net norm = layer_norm(d)
  net head = linear(d, kinds)
  head(norm(last))
}

net predict = language(2, heads)

fn loss(word: int[m]) {
  let logits = predict(word[0..m - 1])
  mean(for (l, w) in (logits, word[1..m]) { -log_softmax(l)[w] })
}

let words = for i in 0..50 * batch { for j in 0..length + 1 { randint(0, kinds) } }

stage transformer = train b in {word: words}.batch(batch) for 50 steps {
  minimize mean(for w in b.word { loss(w) }) over predict using adam(lr: 1e-3)
}
