use std.dist.{normal, bernoulli}
use std.nn.mlp
use std.vi.elbo
use std.optim.adam

data digits = idx("data/mnist10k-images-idx3-ubyte.gz")               // int[10000, 28, 28]
let (train_set, test_set) = split({image: flatten_rows(digits) / 255.0}, at: 9000)

net encode = mlp([784, 400, 2 * 20], act: softplus)
net decode = mlp([20, 400, 784], act: softplus)

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
  image grid(for k in 0..64 { reshape(sample(p()).probs.x, 28, 28) })
}
