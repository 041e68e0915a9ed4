// Bayesian logistic regression on 569 breast tumours, thirty measurements each, with a mean-field guide.

use std.dist.{normal, bernoulli}
use std.vi.elbo
use std.optim.adam

let small = false

data cancer = csv("data/breast_cancer.csv")
let raw = stack(cancer.except{benign})
let centre = mean(raw, axis: 0)
let spread = sqrt(mean(for r in raw { square(r - centre) }, axis: 0))
let table = {x: for r in raw { (r - centre) / spread }, y: real(cancer.benign)}
let (train_set, test_set) = split(table, at: 450)

param mu = zeros(31)
param rho = full(-3.0, 31)

model regression(x: real[n, 30]) {
  w ~ normal(zeros(31), 1.0)
  for r in x { y ~ bernoulli(logits: dot(w[0..30], r) + w[30]) }
}

model guide() {
  w ~ normal(mu, softplus(rho)) via reparam
}

stage fit = train for if small { 150 } else { 2000 } steps {
  maximize mean(for i in 0..4 { elbo(regression(train_set.x) given {y: train_set.y}, guide()) })
    over mu, rho
    using adam(lr: 0.02)
}

stage score = compute after fit {
  let logits = for r in test_set.x { dot(mu[0..30], r) + mu[30] }
  log accuracy = mean(for (l, y) in (logits, test_set.y) { real((l > 0.0) == (y > 0.5)) })
}

test "tumours that were not seen are told apart" {
  assert score.log.accuracy[0] >= 0.95
}
