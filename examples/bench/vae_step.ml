// The step of a small variational autoencoder, for timing: 784-200-10, leaky relu, Adam. The difference of two runs with
// different `steps`, divided by the difference of the steps, is the time of a step.

use std.dist.{normal, bernoulli}
use std.nn.mlp
use std.vi.elbo
use std.optim.adam

let steps = 2000
let size = 64

data digits = idx("../data/mnist10k-images-idx3-ubyte.gz")
let images = {image: real(flatten_rows(digits)) / 255.0}

net encode = mlp([784, 200, 2 * 10], act: leaky_relu)
net decode = mlp([10, 200, 784], act: leaky_relu)

model p() {
  z ~ normal(zeros(10), 1.0)
  x ~ bernoulli(logits: decode(z))
}

model q(x: real[784]) {
  let (mu, rho) = halves(encode(x))
  z ~ normal(mu, softplus(rho)) via reparam
}

stage fit = train b in images.shuffle().batch(size, last: drop) for steps steps {
  maximize mean(for x in b.image { elbo(p() given {x}, q(x)) }) over encode, decode using adam(lr: 1e-3)
}
