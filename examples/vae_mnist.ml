// A variational autoencoder (Kingma and Welling 2014) on 9,000 digits; the bound is measured on 1,000 others.

use std.dist.{normal, bernoulli}
use std.nn.mlp
use std.vi.elbo
use std.optim.adam

let small = false
let hidden = if small { 32 } else { 400 }

data digits = idx("data/mnist10k-images-idx3-ubyte.gz")
let pixels = real(flatten_rows(digits)) / 255.0
let (train_set, test_set) = split({image: if small { pixels[0..1500] } else { pixels }}, at: if small { 1280 } else { 9000 })

net encode = mlp([784, hidden, 2 * 20], act: softplus)
net decode = mlp([20, hidden, 784], act: softplus)

model p() {
  z ~ normal(zeros(20), 1.0)
  x ~ bernoulli(logits: decode(z))
}

model q(x: real[784]) {
  let (mu, rho) = halves(encode(x))
  z ~ normal(mu, softplus(rho)) via reparam
}

stage vae = train b in train_set.shuffle().batch(128) for 10 epochs {
  maximize mean(for x in b.image { elbo(p() given {x}, q(x)) })
    over encode, decode
    using adam(lr: 1e-3)
  every 1 epoch { log test_elbo = mean(for x in test_set.image { elbo(p() given {x}, q(x)) }) }
}

stage look = report after vae {
  image grid(for k in 0..64 { reshape(sigmoid(decode(randn(20))), 28, 28) }), title: "decoded samples"
}

test "the bound on unseen digits" {
  assert vae.log.test_elbo[-1] >= if small { -400.0 } else { -128.0 }
}
