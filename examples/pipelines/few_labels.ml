// Learning from few labels, in two stages (Kingma et al. 2014, M1 and M2): an autoencoder is trained on 9,000 digits
// without labels; then a model of its codes, in which the digit's kind is a site, is trained on the codes of a hundred
// digits with their labels and of all others without, over whose kinds it sums. A classifier on the pixels of the same
// hundred is worse.
//
// What a finished stage left is kept. After a first run, `mlc plan few_labels.ml --set labels=200` says that `classify`
// would run and `pretrain` would not, and `mlc run few_labels.ml --set labels=200` does so; an edit of the second model
// comes to the same, one of `encode` redoes all. Runs in less than a minute.

use std.data.held_out
use std.dist.{bernoulli, categorical, normal}
use std.losses.cross_entropy
use std.nn.{dense, mlp}
use std.optim.{adam, weight_decay}
use std.vi.elbo

let small = false
let labels = 100
let codes = 10
let styles = 8
let hidden = if small { 64 } else { 200 }

data images = idx("../data/mnist10k-images-idx3-ubyte.gz")
data kinds = idx("../data/mnist10k-labels-idx1-ubyte.gz")
let n = if small { 1500 } else { 10000 }
let pixels = real(flatten_rows(images[0..n])) / 255.0
let (train_set, test_set) = held_out({image: pixels, label: kinds[0..n]}, 0.1)
let labelled = split(train_set, at: labels)[0]

// The first stage: codes of pictures.

net encode = mlp([784, hidden, 2 * codes], act: softplus)
net decode = mlp([codes, hidden, 784], act: softplus)

model pictures() {
  z ~ normal(zeros(codes), 1.0)
  x ~ bernoulli(logits: decode(z))
}

model code_of(x: real[784]) {
  let (mu, rho) = halves(encode(x))
  z ~ normal(mu, softplus(rho)) via reparam
}

stage pretrain = train b in train_set.shuffle().batch(100) for 12 epochs {
  maximize mean(for x in b.image { elbo(pictures() given {x}, code_of(x)) }) over encode, decode using adam(lr: 2e-3)
  every 1 epoch {
    log test_bound = mean(for x in test_set.image[0..100] { elbo(pictures() given {x}, code_of(x)) })
  }
}

// The second: kinds and styles of codes.

net make = mlp([styles + 10, 64, 2 * codes], act: tanh)
net style = mlp([codes + 10, 64, 2 * styles], act: tanh)
net guess = mlp([codes, 64, 10])

fn with_kind(v, kind) = concat(v, one_hot(int(kind), 10))

model digits() {
  kind ~ categorical(logits: zeros(10))
  h ~ normal(zeros(styles), 1.0)
  let (mu, rho) = halves(make(with_kind(h, kind)))
  z ~ normal(mu, softplus(rho) + 0.05)
}

model style_of(z, kind) {
  let (mu, rho) = halves(style(with_kind(z, kind)))
  h ~ normal(mu, softplus(rho)) via reparam
}

model kind_and_style_of(z) {
  kind ~ categorical(logits: guess(z)) via enumerate
  let (mu, rho) = halves(style(with_kind(z, kind)))
  h ~ normal(mu, softplus(rho)) via reparam
}

/// A code as it is drawn, so that the second model sees what the first takes for possible.
fn some_code(x) = stop(sample(code_of(x))[0].z)

fn mean_code(x) = halves(encode(x))[0]

/// The bound of a code and its label, and how sure the classifier is of it (equation 9, with alpha = 10).
fn with_label(z, l) = elbo(digits() given {z, kind: real(l)}, style_of(z, real(l))) - 10.0 * cross_entropy(guess(z), l)

stage classify = train b in train_set.shuffle().batch(100) for if small { 20 } else { 8 } epochs after pretrain {
  let known = for (x, l) in (labelled.image, labelled.label) { with_label(some_code(x), l) }
  let others = for x in b.image {
    let z = some_code(x)
    elbo(digits() given {z}, kind_and_style_of(z))
  }
  maximize mean(known) + mean(others) over guess, style, make using adam(lr: 3e-3)
  every 1 epoch { log accuracy = accuracy(|x| guess(mean_code(x))) }
}

net by_pixels = dense(784, 10)

fn accuracy(f) = mean(for (x, l) in (test_set.image, test_set.label) { real(argmax(f(x)) == l) })

stage without = train for 200 steps {
  minimize mean(for (x, l) in (labelled.image, labelled.label) { cross_entropy(by_pixels(x), l) })
    over by_pixels
    using weight_decay(1e-2) |> adam(lr: 2e-2)
  every 50 steps { log accuracy = accuracy(by_pixels) }
}

/// A digit of each kind (down) in some styles (across).
fn drawn() = for i in 0..80 {
  let kind = div(i, 8)
  let h = randn(styles)
  reshape(sigmoid(decode(halves(make(with_kind(h, kind)))[0])), 28, 28)
}

stage look = report after classify {
  image grid(for x in test_set.image[0..32] { reshape(x, 28, 28) }), title: "digits that were not seen"
  image grid(for x in test_set.image[0..32] { reshape(sigmoid(decode(mean_code(x))), 28, 28) }), title: "from their codes"
  image drawn(), title: "each kind in eight styles"
  table {with_codes: classify.log.accuracy[-1], with_pixels: without.log.accuracy[-1]}, title: "accuracy on digits not seen"
}

test "a model of codes is better than a classifier of pixels" {
  let (by_code, by_pixel) = (classify.log.accuracy[-1], without.log.accuracy[-1])
  assert by_code > if small { 0.3 } else { 0.74 }
  assert by_code > by_pixel + if small { -0.4 } else { 0.04 }
}

test "the second stage leaves the first as it was" {
  assert all(classify.encode.params.layer[0].w == pretrain.encode.params.layer[0].w)
}

test "kept values" {
  snapshot bincount(labelled.label, 10)
}
