// Bayesian logistic regression by a mean-field Gaussian, one reparameterised draw a step: on all of 10,000 rows, and on batches of
// 1024 of 581,012 rows.

use std.dist.{normal, bernoulli}

use std.optim.adam

/// Numbers of the standard logistic distribution.
fn logistic(shape) {
  let u = rand(shape)
  log(u) - log1p(-u)
}

fn made(n, d) {
  let x = randn([n, d])
  let w = randn(d) / sqrt(real(d)) * 3.0
  {x: x, y: real(x @ w + logistic([n]) > 0.0)}
}

let whole = made(10000, 100)
let large = made(581012, 54)

param at = zeros(100)
param spread = zeros(100) - 2.0
param at54 = zeros(54)
param spread54 = zeros(54) - 2.0

/// A bound on the evidence: the likelihood at one draw of the weights, scaled to all rows, and the divergence in closed form.
fn bound(x, y, rows, at, spread) = expect {
  w ~ normal(at, exp(spread)) via reparam
  real(rows) / real(len(y)) * bernoulli(logits: x @ w).logpdf(y) - 0.5 * dot(w, w) + sum(spread)
}

stage full_n10000_d100 = train for 100 steps {
  maximize bound(whole.x, whole.y, 10000, at, spread) over at, spread using adam(lr: 1e-2)
}

stage covtype_n581012_d54_mb1024 = train for 500 steps {
  let rows = for i in 0..1024 { randint(0, 581012) }
  maximize bound(large.x[rows], large.y[rows], 581012, at54, spread54) over at54, spread54 using adam(lr: 1e-2)
}
