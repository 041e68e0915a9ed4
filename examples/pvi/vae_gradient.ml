// The gradient of a variational autoencoder's bound for one batch, twice: from the model, its guide and the bound, as one would
// write them, and from a loss written by hand. A test of this repository compares what the two are compiled to: it is the same,
// for batches of 64 to 1024 (`--set rows=1024`). `mlc ir examples/pvi/vae_gradient.ml --stage automatic --units` shows it.

use std.dist.{normal, bernoulli}
use std.nn.mlp
use std.vi.elbo

let rows = 64

data digits = idx("../data/mnist10k-images-idx3-ubyte.gz")
let images = real(flatten_rows(digits)[0..rows]) / 255.0

net encode = mlp([784, 200, 2 * 10], act: leaky_relu)
net decode = mlp([10, 200, 784], act: leaky_relu)

state first = zeros_like(encode.params)
state second = zeros_like(decode.params)
state bound = 0.0

model p() {
  z ~ normal(zeros(10), 1.0)
  x ~ bernoulli(logits: decode(z))
}

model q(x: real[784]) {
  let (mu, rho) = halves(encode(x))
  z ~ normal(mu, softplus(rho)) via reparam
}

stage automatic = train for 1 steps {
  let value = mean(for x in images { elbo(p() given {x}, q(x)) })
  let (g, h) = grad(value, wrt: (encode, decode))
  set first = g
  set second = h
  set bound = value
  log bound = value
}

fn log_normal(x, mu, sigma, log_sigma) = sum(-0.5 * square((x - mu) / sigma) - log_sigma - 0.5 * log(2.0 * pi))

/// What one would write by hand: draw noise, scale and shift it, add up the three logarithms.
fn by_hand(x) {
  let (mu, rho) = halves(encode(x))
  let sigma = softplus(rho)
  let log_sigma = log(sigma)
  let z = mu + sigma * randn(10)
  let log_guide = log_normal(z, mu, sigma, log_sigma)
  let log_prior = log_normal(z, zeros(10), 1.0, 0.0)
  let logits = decode(z)
  let log_likelihood = sum(x * logits - softplus(logits))
  log_prior + log_likelihood - log_guide
}

stage manual = train for 1 steps {
  let value = mean(for x in images { by_hand(x) })
  let (g, h) = grad(value, wrt: (encode, decode))
  set first = g
  set second = h
  set bound = value
  log bound = value
}

// One draw each, of a bound whose draws differ by less than 1.
test "the same value" { assert abs(automatic.bound - manual.bound) < 5.0 and is_finite(automatic.bound) }
