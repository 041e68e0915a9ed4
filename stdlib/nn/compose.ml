// Layers made of layers. A part is what stands right of `net`: `sequential([dense(2, 8), apply(relu), dense(8, 1)])`. Parts take
// `train`, as the layers of `std.nn` do.

use std.conv.max_pool
use std.nn.{dense, conv2d, conv2d_transpose, layer_norm, attention, gelu, dropout}

/// A function as a part: f(x), or f(x, train: train) if it is `modal`, such as `apply(dropout(rate: 0.1), modal: true)`.
net apply(f, modal = false)(x, train = false) {
  if modal { f(x, train: train) } else { f(x) }
}

/// A part for each row of a batch or series.
net rows(part)(x, train = false) {
  net each = part
  for r in x { each(r, train: train) }
}

/// One part after the other.
net sequential(parts)(x, train = false) {
  scan (h = x) for l in 0..len(parts), unroll: true {
    net layer[l] = parts[l]
    next h = layer[l](h, train: train)
  }
}

/// x plus what a part makes of it (He et al. 2016, equation 1).
net residual(part)(x, train = false) {
  net inner = part
  x + inner(x, train: train)
}

/// The channels of x, then those of what a part makes of it, joined along `axis`.
net beside(part, axis = 0)(x, train = false) {
  net inner = part
  concat(x, inner(x, train: train), axis: axis)
}

/// Two convolutions of 3 by 3 that keep the size, each followed by `act`.
net double_conv(inputs, outputs, act = relu)(x, train = false) {
  net first = conv2d(inputs, outputs, 3, padding: 1)
  net second = conv2d(outputs, outputs, 3, padding: 1)
  act(second(act(first(x))))
}

/// A U-Net (Ronneberger et al. 2015, here with padding): `double_conv`s with the channels of `widths`, each but the last followed by
/// a pool that halves the picture; then back up, where each level also sees what it gave on the way down; at last a map of each
/// pixel to `outputs` channels. Sizes are multiples of 2^(levels - 1).
net u_net(inputs, outputs, widths, act = relu)(x, train = false) {
  let last = len(widths) - 1
  let down = scan (h = x, seen = []) for l in 0..last, unroll: true {
    net encode[l] = double_conv(if l == 0 { inputs } else { widths[l - 1] }, widths[l], act: act)
    let e = encode[l](h)
    next seen = append(seen, e)
    next h = max_pool(e, 2)
  }
  net bottom = double_conv(if last == 0 { inputs } else { widths[last - 1] }, widths[last], act: act)
  let up = scan (h = bottom(down.h)) for i in 0..last, unroll: true {
    let l = last - 1 - i
    net grow[l] = conv2d_transpose(widths[l + 1], widths[l], 2, stride: 2)
    net decode[l] = double_conv(2 * widths[l], widths[l], act: act)
    next h = decode[l](concat(down.seen[l], grow[l](h)))
  }
  net head = conv2d(widths[0], outputs, 1)
  head(up)
}

/// A block of a transformer, with the norm before each part (Vaswani et al. 2017; Xiong et al. 2020): x plus attention, then plus two
/// dense layers with `act` between. `drop` is the rate of `dropout` after both.
net transformer_block(width, heads, hidden = none, act = gelu, drop = 0.0)(x: real[t, width], mask = none, train = false) {
  let between = if provided(hidden) { hidden } else { 4 * width }
  net before = layer_norm(width)
  net look = attention(width, heads)
  net middle = layer_norm(width)
  net widen = dense(width, between)
  net narrow = dense(between, width)
  let seen = look(for r in x { before(r) }, mask: mask)
  let y = x + dropout(seen, drop, train: train)
  let thought = for r in y { narrow(act(widen(middle(r)))) }
  y + dropout(thought, drop, train: train)
}
