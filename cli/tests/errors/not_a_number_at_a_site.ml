use std.optim.sgd
use std.dist.normal
param s = 0.3
model noise(s) { for i in 0..3 { x ~ normal(0.0, s) } }
stage fit = train for 50 steps {
  minimize -logdensity(noise(s), {x: [0.1, -0.2, 0.3]}) over s using sgd(lr: 0.1)
}
