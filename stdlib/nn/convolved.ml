// Layers of convolutions; the functions of the same names are in `std.conv`. One picture `real[channels, rows, columns]` at a time.

use std.conv as functions
use std.init.he

/// First kernels from a function of fan-in and outputs.
fn _kernels(init, outputs, inputs, p, q) = reshape(transpose(init(inputs * p * q, outputs)), outputs, inputs, p, q)

/// A number for each channel, added to it.
fn _shifted(x, b) = x + spread(b, like: x, axis: list(1..rank(x)))

/// A convolution of pictures with `inputs` channels to `outputs`. `window`, `stride`, `padding`, `dilation` are numbers or pairs
/// (rows, columns); first kernels are `init(fan-in, outputs)`.
net conv2d(inputs, outputs, window, stride = 1, padding = 0, dilation = 1, bias = true, init = he)(x, train = false) {
  let (p, q) = pair(window)
  param k: real[outputs, inputs, p, q] = _kernels(init, outputs, inputs, p, q)
  let y = functions.conv2d(x, k, stride: stride, padding: padding, dilation: dilation)
  if bias {
    param b: real[outputs] = zeros(outputs)
    _shifted(y, b)
  } else {
    y
  }
}

/// A convolution along one axis, of `real[inputs, n]`.
net conv1d(inputs, outputs, window, stride = 1, padding = 0, dilation = 1, bias = true, init = he)(x, train = false) {
  param k: real[outputs, inputs, window] = drop_axis(_kernels(init, outputs, inputs, 1, window), 2)
  let y = functions.conv1d(x, k, stride: stride, padding: padding, dilation: dilation)
  if bias {
    param b: real[outputs] = zeros(outputs)
    _shifted(y, b)
  } else {
    y
  }
}

/// The transpose of a convolution, which makes pictures larger by `stride`.
net conv2d_transpose(inputs, outputs, window, stride = 1, padding = 0, dilation = 1, bias = true, init = he)(x, train = false) {
  let (p, q) = pair(window)
  param k: real[inputs, outputs, p, q] = swapaxes(_kernels(init, outputs, inputs, p, q), 0, 1)
  let y = functions.conv2d_transpose(x, k, stride: stride, padding: padding, dilation: dilation)
  if bias {
    param b: real[outputs] = zeros(outputs)
    _shifted(y, b)
  } else {
    y
  }
}

/// Each pixel of a picture as a square of `factor` by `factor`.
fn upsample(x: real[c, h, w], factor = 2) = repeat(repeat(x, factor, axis: 1), factor, axis: 2)

/// The mean of each channel of a picture, or of a row.
fn channel_means(x) = mean(x, axis: list(1..rank(x)))
