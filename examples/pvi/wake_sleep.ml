// Reweighted wake-sleep (Bornschein and Bengio 2015): a belief net with binary units for pictures of digits, and a guide for its
// units. No derivative passes through a draw, so nothing is relaxed and no score multiplies a cost.

use std.dist.bernoulli
use std.nn.mlp
use std.vi.{iwelbo, rws, sleep}
use std.optim.adam

let small = false
let epochs = if small { 10 } else { 60 }
let units = 24

data digits = csv("../data/digits.csv.gz")
let pixels = stack(digits.except{label})
let pictures = real(pixels > 7.5)
let (train_set, test_set) = split({x: pictures}, at: 1500)

param prior = zeros(units)
net decode = mlp([units, 64, 64], act: leaky_relu)
net encode = mlp([64, 64, units], act: leaky_relu)

model p() {
  h ~ bernoulli(logits: prior)
  x ~ bernoulli(logits: decode(h))
}

model q(x: real[64]) { h ~ bernoulli(logits: encode(x)) }

fn bound(x, n) = iwelbo(p() given {x}, q(x), n)

stage waking = train b in train_set.shuffle().batch(50) for epochs epochs {
  maximize mean(for x in b.x { rws(p() given {x}, q(x), 8) })
    over prior, decode, encode
    using adam(lr: 2e-3)
  every 1 epoch { log test_bound = mean(for x in test_set.x { bound(x, 20) }) }
}

// The guide alone, from dreams of the model that waking left; it starts anew.
net fresh = mlp([64, 64, units], act: leaky_relu)

model dreamer(x: real[64]) { h ~ bernoulli(logits: fresh(x)) }

stage dreaming = train for if small { 200 } else { 2000 } steps after waking {
  maximize mean(for i in 0..64 { sleep(p(), |t| dreamer(t.x), [.x]) }) over fresh using adam(lr: 2e-3)
}

stage check = compute after dreaming {
  log awake = mean(for x in test_set.x { bound(x, 50) })
  log dreamt = mean(for x in test_set.x { iwelbo(p() given {x}, dreamer(x), 50) })
  // Each pixel for itself, as often on as in the training set.
  let rate = (sum(train_set.x, axis: 0) + 1.0) / (real(len(train_set.x)) + 2.0)
  log pixels_alone = mean(for x in test_set.x { bernoulli(rate).logpdf(x) })
}

test "unseen digits" {
  assert check.log.awake[0] > check.log.pixels_alone[0] + if small { 3.0 } else { 6.0 }
  assert check.log.awake[0] > if small { -23.0 } else { -19.0 }
}

test "a guide that only dreamt" { assert check.log.dreamt[0] > check.log.awake[0] - 2.0 }
