// Networks. `net n = dense(..)` makes the parameters; `n(x)` runs it on one example; rows come from `for`.

use std.init.glorot

/// An affine map: x @ w + b.
net dense(inputs, outputs)(x: real[inputs]) {
  param w: real[inputs, outputs] = glorot(inputs, outputs)
  param b: real[outputs] = zeros(outputs)
  x @ w + b
}

/// Dense layers of the sizes given, with `act` between them and nothing after the last.
net mlp(sizes, act = relu)(x: real[sizes[0]]) {
  scan (h = x) for l in 0..len(sizes) - 1, unroll: true {
    net layer[l] = dense(sizes[l], sizes[l + 1])
    next h = if l + 2 < len(sizes) { act(layer[l](h)) } else { layer[l](h) }
  }
}
