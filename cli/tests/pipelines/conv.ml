// Convolutions, pooling and sampling against sums written out.

precision f64

use std.conv.{conv1d, conv2d, conv2d_transpose, max_pool, avg_pool}
use std.conv.{grid_sample, affine_grid, scale_and_shift}

let x = reshape(sin(real(iota(2 * 5 * 6))), 2, 5, 6)
let k = reshape(cos(1.0 + real(iota(3 * 2 * 2 * 3))), 3, 2, 2, 3)

// The sums, place by place, in a picture that already has its padding.
fn slow(y, k, down, across, sy, sx, dy, dx) = for o in list(0..3) {
  for r in list(0..down) {
    for s in list(0..across) {
      sum(for c in list(0..2) {
        sum(for i in list(0..2) { sum(for j in list(0..3) { k[o, c, i, j] * y[c, sy * r + dy * i, sx * s + dx * j] }) })
      })
    }
  }
}

test "a convolution is its sums" {
  assert close(conv2d(x, k), slow(x, k, 4, 4, 1, 1, 1, 1), 1e-12)
  assert close(conv2d(x, k, stride: (2, 1)), slow(x, k, 2, 4, 2, 1, 1, 1), 1e-12)
  assert close(conv2d(x, k, padding: 1), slow(pad(x, [0, 1, 1]), k, 6, 6, 1, 1, 1, 1), 1e-12)
  assert close(
    conv2d(x, k, stride: 2, padding: (1, 0), dilation: (3, 2)),
    slow(pad(x, [0, 1, 0]), k, 2, 1, 2, 2, 3, 2),
    1e-12,
  )
}

test "its derivatives" {
  let p = x
  let q = k
  let y = conv2d(p, q, stride: 2, padding: 1)
  let by_x = grad(sum(square(y)), wrt: p)
  let by_k = grad(sum(square(y)), wrt: q)
  let z = slow(pad(p, [0, 1, 1]), q, 3, 3, 2, 2, 1, 1)
  assert close(by_x, grad(sum(square(z)), wrt: p), 1e-10)
  assert close(by_k, grad(sum(square(z)), wrt: q), 1e-10)
}

test "a batch is a loop" {
  let many = stack([x, 2.0 * x, x * x])
  let all = for p in many { conv2d(p, k, padding: 1) }
  assert close(all[2], conv2d(x * x, k, padding: 1), 1e-12)
  let per = for p in many { let w = k; grad(sum(square(conv2d(p, w))), wrt: w) }
  let w = k
  assert close(per[1], grad(sum(square(conv2d(2.0 * x, w))), wrt: w), 1e-10)
}

test "along one axis" {
  let v = [[1.0, 2.0, 3.0, 4.0, 5.0]]
  assert close(conv1d(v, [[[1.0, 0.0, -1.0]]]), [[-2.0, -2.0, -2.0]], 0.0)
  assert close(conv1d(v, [[[1.0, 1.0]]], stride: 2, padding: 1), [[1.0, 5.0, 9.0]], 0.0)
  assert close(conv1d(v, [[[1.0, 1.0]]], dilation: 3), [[5.0, 7.0]], 0.0)
}

test "the transpose" {
  let y = conv2d(x, k, stride: 2)
  let back = conv2d_transpose(y, k, stride: 2)
  // <conv(z), y> = <z, transpose(y)>; the last column of x is no window's.
  let z = x[.., 0..4, 0..5]
  assert close(sum(conv2d(z, k, stride: 2) * y), sum(z * back), 1e-10)
}

test "pools" {
  let p = reshape(real(iota(16)), 1, 4, 4)
  assert close(max_pool(p, 2), [[[5.0, 7.0], [13.0, 15.0]]], 0.0)
  assert close(avg_pool(p, 2), [[[2.5, 4.5], [10.5, 12.5]]], 0.0)
  assert close(max_pool(p, (1, 3), stride: 1, padding: (0, 1))[0, 0], [1.0, 2.0, 3.0, 3.0], 0.0)
  assert close(max_pool(-1.0 - p, 2, padding: 1)[0, 0], [-1.0, -2.0, -4.0], 0.0)
  let q = p
  let g = grad(sum(max_pool(q, 2)), wrt: q)
  assert close(sum(g), 4.0, 0.0) and close(g[0, 3], [0.0, 1.0, 0.0, 1.0], 0.0)
}

test "sampling" {
  let p = reshape(square(real(iota(12))), 1, 3, 4)
  let same = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
  assert close(grid_sample(p, affine_grid(same, 3, 4)), p, 1e-12)
  assert close(grid_sample(p, affine_grid(same, 3, 4, align_corners: true), align_corners: true), p, 1e-12)
  // Half way between the first two pixels of the first row, and of the first column.
  let points = [[[-0.5, -1.0 + 1.0 / 3.0], [-0.75, -1.0 / 3.0]]]
  assert close(grid_sample(p, points)[0, 0], [0.5, 8.0], 1e-12)
  // Zero outside, and half of the outer pixel half a pixel away from it.
  assert close(grid_sample(p, [[[-1.0, -1.0], [3.0, 0.0]]])[0, 0], [0.0, 0.0], 1e-12)
  assert close(grid_sample(p, [[[1.0, 0.0]]])[0, 0], [24.5], 1e-12)
  // The slope across at a point of the second row: (25 - 16) a pixel, two pixels for each unit.
  assert not is_finite(sum(grid_sample(p, [[[nan, 0.0]]])))
  let g = [[[-0.6, 0.0]]]
  assert close(grad(sum(grid_sample(p, g)), wrt: g)[0, 0, 0], 18.0, 1e-9)
  let q = p
  assert close(sum(grad(sum(grid_sample(q, points)), wrt: q)), 2.0, 1e-12)
}

test "scaling and shifting is sampling at the affine grid" {
  let p = reshape(sin(real(iota(12))), 1, 3, 4)
  let (s, a, b) = (0.7, 0.2, -0.3)
  let theta = [[s, 0.0, a], [0.0, s, b]]
  assert close(scale_and_shift(p, s, a, b, 5, 6), grid_sample(p, affine_grid(theta, 5, 6)), 1e-12)
  let placed = for t in [1.0, 2.0] { scale_and_shift(p, t, 0.0, 0.0, 3, 4) }
  assert close(placed[0], p, 1e-12)
  let u = 0.7
  let one = grad(sum(square(scale_and_shift(p, u, a, b, 5, 6))), wrt: u)
  let other = grad(sum(square(grid_sample(p, affine_grid([[u, 0.0, a], [0.0, u, b]], 5, 6)))), wrt: u)
  assert close(one, other, 1e-9)
}
