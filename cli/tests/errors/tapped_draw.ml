use std.dist.normal
use std.optim.sgd
net f()(z: real) {
  param w = 0.5
  tap u = w * z
  u * u
}
net n = f()
stage s = train for 1 steps {
  let (l, t) = taps(expect { z ~ normal(0.0, 1.0); n(z) })
  minimize l over n using sgd(lr: 0.1)
  log u = t.u
}
