// Recurrent layers: a cell is one step, a layer goes over the rows of a series and gives what each leaves.

use std.init.{glorot, orthogonal}

/// Weights of `count` parts of `width` side by side.
fn _parts(init, inputs, width, count) =
  reshape(swapaxes(for i in 0..count { init(inputs, width) }, 0, 1), inputs, count * width)

/// One step of a gated recurrent unit (Cho et al. 2014, equations 5 to 8): r = sigmoid(..), z = sigmoid(..),
/// z h + (1 - z) tanh(x @ w + (r h) @ u + b).
net gru_cell(inputs, width)(x: real[inputs], h: real[width], train = false) {
  param w: real[inputs, 3 * width] = _parts(glorot, inputs, width, 3)
  param u: real[width, 2 * width] = _parts(orthogonal, width, width, 2)
  param v: real[width, width] = orthogonal(width, width)
  param b: real[3 * width] = zeros(3 * width)
  let (xr, xz, xn) = chunks(x @ w + b, 3)
  let (hr, hz) = chunks(h @ u, 2)
  let z = sigmoid(xz + hz)
  let n = tanh(xn + (sigmoid(xr + hr) * h) @ v)
  lerp(n, h, z)
}

/// What a gated recurrent unit leaves at each row of a series, from `start` or zeros: `real[t, width]`.
net gru(inputs, width)(xs: real[t, inputs], start = none, train = false) {
  net cell = gru_cell(inputs, width)
  let first = if provided(start) { start } else { zeros(width) }
  let (_, states) = scan (h = first) for x in xs {
    let new = cell(x, h)
    next h = new
    yield new
  }
  states
}

/// One step of long short-term memory: (h, c) after x, with gates i, f, o and the new content g:
/// c' = f c + i g, h' = o tanh(c') (Hochreiter and Schmidhuber 1997; the gate f of Gers et al. 2000, which starts open).
net lstm_cell(inputs, width)(x: real[inputs], h: real[width], c: real[width], train = false) {
  param w: real[inputs, 4 * width] = _parts(glorot, inputs, width, 4)
  param u: real[width, 4 * width] = _parts(orthogonal, width, width, 4)
  param b: real[4 * width] = concat(zeros(width), ones(width), zeros(2 * width))
  let (i, f, g, o) = chunks(x @ w + h @ u + b, 4)
  let content = sigmoid(f) * c + sigmoid(i) * tanh(g)
  (sigmoid(o) * tanh(content), content)
}

/// What long short-term memory leaves at each row of a series, from (h, c) = `start` or zeros: `real[t, width]`.
net lstm(inputs, width)(xs: real[t, inputs], start = none, train = false) {
  net cell = lstm_cell(inputs, width)
  let (h0, c0) = if provided(start) { start } else { (zeros(width), zeros(width)) }
  let (_, states) = scan ((h, c) = (h0, c0)) for x in xs {
    let new = cell(x, h, c)
    next (h, c) = new
    yield new[0]
  }
  states
}

/// A series read forward by one recurrent layer and backward by another, side by side at each row.
net both_ways(forward, backward)(xs: real[t, inputs], train = false) {
  net ahead = forward
  net behind = backward
  concat(ahead(xs, train: train), flip(behind(flip(xs), train: train)), axis: 1)
}
