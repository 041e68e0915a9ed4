// The gradient of a regression reads its rows once, panel by panel, whatever it makes of them.
use std.dist.bernoulli
use std.optim.adam

let x = randn([4000, 50])
let y = real(x @ randn(50) > 0.0)
let z = randn([4000, 40])

param w = zeros(50)
param v = zeros(50)
param u = zeros(40)

stage fit = train for 60 steps {
  maximize bernoulli(logits: x @ w).logpdf(y) - dot(w, w) over w using adam(lr: 1e-2)
}

stage scales = train for 60 steps {
  let scale = x @ v
  minimize sum(square((y - x @ w - z @ u) * exp(scale)) / 2.0 - scale) over w, v, u using adam(lr: 1e-3)
}
