// Trains a guide and a net, and exports them.

use line.line
use std.auto.full_rank
use std.nn.dense
use std.posterior.draws
use std.vi.elbo
use std.optim.adam
use std.schedules

let x = linspace(-1.0, 1.0, 20)
let y = 2.0 * x + 0.3 * sin(40.0 * x)

param weights in simplex(3) = [0.2, 0.3, 0.5]
net n = dense(2, 1)
model guide = full_rank(line(x) given {y})

stage fit = train for 200 steps {
  maximize mean(for i in 0..4 { elbo(line(x) given {y}, guide) })
    over guide
    using adam(lr: schedules.cosine(0.02, 200))
  minimize sqnorm(weights - [0.6, 0.3, 0.1]) + sqnorm(n([1.0, 2.0]) - 1.0) over weights, n using adam(lr: 0.01)
}

stage save = compute after fit {
  export {guide, n, weights}, to: "fit.safetensors"
  let t = draws(guide, 100)
  // What is to be found again.
  export {t, density: for d in t { logdensity(guide, d) }, at_one: n([1.0, 1.0])}, to: "check.safetensors"
}
