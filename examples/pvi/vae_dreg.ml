// A variational autoencoder trained by the importance-weighted bound, with doubly reparameterised gradients (Tucker et al. 2019) and
// with plain ones. With many particles the plain gradient of the guide drowns in noise (Rainforth et al. 2018); the
// other has the same mean, and less variance.

use std.dist.{normal, bernoulli}
use std.nn.mlp
use std.vi.{iwelbo, dreg}
use std.optim.adam

let small = false
let epochs = if small { 5 } else { 40 }
let particles = 16

data digits = csv("../data/digits.csv.gz")
let pictures = stack(digits.except{label}) / 16.0
let (train_set, test_set) = split({x: pictures}, at: 1500)

net encode = mlp([64, 64, 2 * 8], act: softplus)
net decode = mlp([8, 64, 64], act: softplus)

model p() {
  z ~ normal(zeros(8), 1.0)
  x ~ bernoulli(logits: decode(z))
}

model q(x: real[64]) {
  let (mu, rho) = halves(encode(x))
  z ~ normal(mu, softplus(rho)) via reparam
}

fn bound_of(x) = iwelbo(p() given {x}, q(x), particles)
fn doubly(x) = dreg(p() given {x}, q(x), particles)
fn on_test() = mean(for x in test_set.x { iwelbo(p() given {x}, q(x), 64) })

stage plain = train b in train_set.shuffle().batch(50) for epochs epochs {
  maximize mean(for x in b.x { bound_of(x) }) over encode, decode using adam(lr: 2e-3)
  every 1 epoch { log test_bound = on_test() }
}

stage twice = train b in train_set.shuffle().batch(50) for epochs epochs {
  maximize mean(for x in b.x { doubly(x) }) over encode, decode using adam(lr: 2e-3)
  every 1 epoch { log test_bound = on_test() }
}

/// The variance of the guide's gradient for one picture, over that of its mean squared.
fn noise(objective) {
  let x = train_set.x[0]
  let g = for i in 0..200 { flatten(grad(objective(x), wrt: encode)) }
  sum(var(g, axis: 0)) / sqnorm(mean(g, axis: 0))
}

stage look = compute after twice { log noise_plain = noise(bound_of), noise_doubly = noise(doubly) }

test "both learn" {
  assert plain.log.test_bound[-1] > if small { -26.6 } else { -24.8 }
  assert twice.log.test_bound[-1] > if small { -26.6 } else { -24.8 }
}

test "twice reparameterised is less noisy" { assert look.log.noise_doubly[0] < 0.5 * look.log.noise_plain[0] }
