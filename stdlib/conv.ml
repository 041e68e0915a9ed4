// Convolutions, pooling and sampling of pictures. One picture at a time: a batch is a `for`, and becomes one product.
// A picture is `real[c, h, w]`: channels, rows, columns. `window`, `stride`, `padding`, `dilation` are numbers or pairs
// (rows, columns).

/// All windows of a picture, cut by strided slices, with `value` around it:
/// [rows of a window, columns of a window, c, windows down, windows across].
fn patches(x: real[c, h, w], window, stride = 1, padding = 0, dilation = 1, value = 0.0) {
  let ((p, q), (sy, sx), (by, bx), (dy, dx)) = (pair(window), pair(stride), pair(padding), pair(dilation))
  let y = pad(x, [0, by, bx], value: value)
  let down = sy * (windows(h + 2 * by, size: p, stride: sy, dilation: dy) - 1) + 1
  let across = sx * (windows(w + 2 * bx, size: q, stride: sx, dilation: dx) - 1) + 1
  for i in list(0..p) {
    for j in list(0..q) { y[.., dy * i..dy * i + down: sy, dx * j..dx * j + across: sx] }
  }
}

/// The correlation of a picture with `o` kernels: the sum over channels and places of a window of the products.
fn conv2d(x: real[c, h, w], k: real[o, c, p, q], stride = 1, padding = 0, dilation = 1) {
  let t = patches(x, (p, q), stride: stride, padding: padding, dilation: dilation)
  einsum([m, r, s], k[m, n, i, j], t[i, j, n, r, s])
}

/// `conv2d` along one axis.
fn conv1d(x: real[c, n], k: real[o, c, p], stride = 1, padding = 0, dilation = 1) {
  let y = conv2d(
    insert_axis(x, 1),
    insert_axis(k, 2),
    stride: (1, stride),
    padding: (0, padding),
    dilation: (1, dilation),
  )
  drop_axis(y, 1)
}

/// The transpose of `conv2d` with the kernels `k`: each element of `x` spreads its kernel over the result.
fn conv2d_transpose(x: real[c, h, w], k: real[c, o, p, q], stride = 1, padding = 0, dilation = 1) {
  let ((sy, sx), (by, bx), (dy, dx)) = (pair(stride), pair(padding), pair(dilation))
  let z = zeros(o, sy * (h - 1) + dy * (p - 1) + 1 - 2 * by, sx * (w - 1) + dx * (q - 1) + 1 - 2 * bx)
  vjp(conv2d(z, k, stride: stride, padding: padding, dilation: dilation), wrt: z, by: x)
}

/// The largest element of each window, which moves by its own size unless `stride` says otherwise.
fn max_pool(x: real[c, h, w], window, stride = none, padding = 0) {
  let by = if provided(stride) { stride } else { window }
  max(patches(x, window, stride: by, padding: padding, value: -inf), axis: [0, 1])
}

/// The mean of each window, zeros around the picture included.
fn avg_pool(x: real[c, h, w], window, stride = none, padding = 0) {
  let by = if provided(stride) { stride } else { window }
  mean(patches(x, window, stride: by, padding: padding), axis: [0, 1])
}

/// The middles of `n` pixels of an axis that goes from -1 to 1; with `align_corners` the outer middles are at -1 and 1.
fn middles(n, align_corners = false) =
  if align_corners {
    if n > 1 { linspace(-1.0, 1.0, n) } else { zeros(n) }
  } else {
    (2.0 * real(iota(n)) + 1.0) / real(n) - 1.0
  }

/// Where a point between -1 and 1 lies, counted in pixels of an axis that has `n`: what undoes `middles`.
fn pixel(g, n, align_corners = false) =
  if align_corners { (g + 1.0) * (0.5 * real(n - 1)) } else { (g + 1.0) * (0.5 * real(n)) - 0.5 }

/// The points that the middles of an h by w picture come from under the affine map `theta`: (x, y) of each, x across.
fn affine_grid(theta: real[2, 3], h, w, align_corners = false) =
  for y in middles(h, align_corners: align_corners) {
    for x in middles(w, align_corners: align_corners) { theta @ [x, y, 1.0] }
  }

/// A picture at the points of a grid, (x, y) between -1 and 1: bilinear between pixels, zero outside. Differentiable in
/// both; the derivative in the grid is that of the piece a point lies in.
fn grid_sample(image: real[c, h, w], grid: real[p, q, 2], align_corners = false) {
  let x = pixel(grid[.., .., 0], w, align_corners: align_corners)
  let y = pixel(grid[.., .., 1], h, align_corners: align_corners)
  let (left, top) = (floor(x), floor(y))
  let flat = reshape(image, c, h * w)
  fn corner(u, v, weight) {
    let outside = u < 0.0 or u >= real(w) or v < 0.0 or v >= real(h)
    // Of a point far outside, the place is that of a pixel too: its weight is zero.
    let i = int(clip(u, 0.0, real(w - 1))) + w * int(clip(v, 0.0, real(h - 1)))
    take(flat, i, axis: 1) * broadcast_to(select(outside, 0.0, weight), c, p, q)
  }
  let (a, b) = (x - left, y - top)
  let upper = corner(left, top, (1.0 - a) * (1.0 - b)) + corner(left + 1.0, top, a * (1.0 - b))
  let lower = corner(left, top + 1.0, (1.0 - a) * b) + corner(left + 1.0, top + 1.0, a * b)
  upper + lower
}

/// The weights of `n` pixels at points counted in pixels: 1 at the pixel itself, falling to 0 at its neighbours.
fn hats(points: real[p], n) = for c in points { relu(1.0 - abs(c - real(iota(n)))) }

/// A picture at all pairs of rows `y` and columns `x`, counted in pixels: `grid_sample` where the grid is such pairs,
/// as two matrix products, without any index.
fn resample(image: real[c, h, w], y: real[p], x: real[q]) =
  einsum([n, i, j], hats(y, h)[i, u], image[n, u, v], hats(x, w)[j, v])

/// `grid_sample` at `affine_grid([[s, 0, a], [0, s, b]], h, w)`, by `resample`.
fn scale_and_shift(image: real[c, ih, iw], s, a, b, h, w, align_corners = false) {
  let x = pixel(s * middles(w, align_corners: align_corners) + a, iw, align_corners: align_corners)
  let y = pixel(s * middles(h, align_corners: align_corners) + b, ih, align_corners: align_corners)
  resample(image, y, x)
}
