// Steps of a variational autoencoder with one hidden layer of 200 units on each side and ten latent reals, for 60,000 binary
// pictures of 28 by 28 made by a random model.

use std.dist.{normal, bernoulli}
use std.nn.mlp

use std.vi.elbo
use std.optim.adam

let rows = 60000

/// Numbers of the standard logistic distribution.
fn logistic(shape) {
  let u = rand(shape)
  log(u) - log1p(-u)
}

let pixels = {x: real(randn([rows, 8]) @ randn([8, 784]) - 2.5 + logistic([rows, 784]) > 0.0)}

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

stage vae_b64 = train b in pixels.shuffle().batch(64, last: drop) for 1 epochs {
  maximize mean(for x in b.x { elbo(p() given {x}, q(x)) }) over encode, decode using adam(lr: 1e-3)
}

stage vae_b256 = train b in pixels.shuffle().batch(256, last: drop) for 1 epochs {
  maximize mean(for x in b.x { elbo(p() given {x}, q(x)) }) over encode, decode using adam(lr: 1e-3)
}
