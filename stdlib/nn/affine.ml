// Networks. `net n = dense(..)` makes the parameters; `n(x)` runs it on one example; rows come from `for`. Each takes `train`: is
// this a step of training, where what is left out is drawn, and batches are counted?

use std.init.glorot

/// An affine map: x @ w + b. First weights are `init(inputs, outputs)`; `bias: false` leaves b out.
net dense(inputs, outputs, bias = true, init = glorot)(x: real[inputs], train = false) {
  param w: real[inputs, outputs] = init(inputs, outputs)
  if bias {
    param b: real[outputs] = zeros(outputs)
    x @ w + b
  } else {
    x @ w
  }
}

/// Dense layers of the sizes given, with `act` between them and nothing after the last.
net mlp(sizes, act = relu)(x: real[sizes[0]], train = false) {
  scan (h = x) for l in 0..len(sizes) - 1, unroll: true {
    net layer[l] = dense(sizes[l], sizes[l + 1])
    next h = if l + 2 < len(sizes) { act(layer[l](h)) } else { layer[l](h) }
  }
}

/// A gated layer: act(x @ w + b) * (x @ v + c) (Dauphin et al. 2017; with `silu` as in Shazeer 2020).
net gated(inputs, outputs, act = silu, bias = true, init = glorot)(x: real[inputs], train = false) {
  net gate = dense(inputs, outputs, bias: bias, init: init)
  net value = dense(inputs, outputs, bias: bias, init: init)
  act(gate(x)) * value(x)
}

/// A vector for each of `count` integers. Others mean the nearest; first values are normal, with the standard deviation `sd`.
net embedding(count, width, sd = 1.0)(i: int, train = false) {
  param table: real[count, width] = sd * randn([count, width])
  table [i]
}
