// Layers of single examples: each against its sums written out, a batch against a loop, derivatives against differences.

precision f64

use std.nn.{dense, mlp, gated, embedding, gelu, elu, selu, mish}
use std.nn.{conv1d, conv2d, conv2d_transpose, upsample, channel_means}
use std.nn.{layer_norm, rms_norm, group_norm}
use std.nn.{apply, rows, sequential, residual, beside, double_conv, u_net}
use std.init.{lecun, orthogonal}
use std.conv as functions
use std.testing.gradients_match

/// Numbers without a pattern, of a shape.
fn some(sizes, from = 0.0) = reshape(sin(from + real(iota(size(zeros(sizes))))), sizes)

net affine = dense(2, 3)
net linear = dense(2, 3, bias: false, init: orthogonal)
net three = mlp([2, 3, 4, 1], act: tanh)
net gate = gated(2, 3)
net words = embedding(5, 3)
net many_words = embedding(100, 50)
net small_words = embedding(100, 50, sd: 0.1)

let x = [0.5, -2.0]

test "affine layers" {
  let p = {w: some([2, 3]), b: [1.0, 2.0, 3.0]}
  let by_hand = for j in 0..3 { x[0] * p.w[0, j] + x[1] * p.w[1, j] + p.b[j] }
  assert close(affine.with(p)(x), by_hand, 1e-14)
  assert close(affine.params.b, zeros(3), 0.0)
  assert close(linear(x), x @ linear.params.w, 1e-15) and close(linear.params.w @ linear.params.w.T, [[1.0, 0.0], [0.0, 1.0]], 1e-12)
  let l = three.params.layer
  let h = tanh(tanh(x @ l[0].w + l[0].b) @ l[1].w + l[1].b)
  assert close(three(x), h @ l[2].w + l[2].b, 1e-14)
  assert close(three(x, train: true), three(x), 0.0)
  let (g, v) = (gate.params.gate, gate.params.value)
  assert close(gate(x), silu(x @ g.w + g.b) * (x @ v.w + v.b), 1e-14)
}

test "embeddings" {
  assert close(words(3), words.params.table[3], 0.0)
  // The variance of 5000 draws: within five standard errors with a probability of 1 - 6e-7 each.
  assert close(mean(square(many_words.params.table)), 1.0, 5.0 * sqrt(2.0 / 5000.0))
  assert close(100.0 * mean(square(small_words.params.table)), 1.0, 5.0 * sqrt(2.0 / 5000.0))
  let g = grad(sum(for i in [1, 1, 4] { sum(words(i)) }), wrt: words)
  assert close(g.table[.., 0], [0.0, 2.0, 0.0, 0.0, 1.0], 0.0)
}

// Worked out apart from the library, in Python.
test "activations" {
  let at = [-1.5, 0.7]
  assert close(gelu(at), [-0.10021080190328713, 0.5306254434438489], 1e-14)
  assert close(elu(at), [-0.7768698398515702, 0.7], 1e-14) and close(elu(at, alpha: 2.0)[0], -1.5537396797031404, 1e-14)
  assert close(selu(at), [-1.3658143533672527, 0.7354906911488363], 1e-14)
  assert close(mish(at), [-0.29809974216680674, 0.5611483776438518], 1e-14)
  let far = [-1e4, 0.0, 1e4]
  let (v, g) = for f in [gelu, elu, selu, mish] { value_and_grad(sum(f(far)), wrt: far) }
  assert all(is_finite(v)) and all(is_finite(g))
}

net pictures = conv2d(2, 3, (2, 3), padding: 1, stride: (1, 2), init: lecun)
net plain = conv2d(2, 3, 2, bias: false)
net series = conv1d(2, 3, 2, dilation: 2)
net larger = conv2d_transpose(2, 3, 2, stride: 2)

test "convolutions" {
  let p = some([2, 4, 5])
  let sizes = shape(pictures(p))
  let k = pictures.params.k
  let y = pictures.with({k, b: [10.0, 20.0, 30.0]})(p)
  assert all(shape(y) == [3, 5, 3]) and all(sizes == [3, 5, 3])
  let padded = pad(p, [0, 1, 1])
  let at = sum(for c in 0..2, i in 0..2, j in 0..3 { k[1, c, i, j] * padded[c, 3 + i, 2 + j] })
  assert close(y[1, 3, 1], at + 20.0, 1e-14)
  assert close(plain(p), functions.conv2d(p, plain.params.k), 0.0)
  let s = some([2, 6])
  let v = series(s)
  let w = series.params.k
  let one = sum(for c in 0..2, i in 0..2 { w[2, c, i] * s[c, 1 + 2 * i] })
  assert close(v[2, 1], one, 1e-14) and all(shape(v) == [3, 4])
  // Windows that do not overlap: each pixel becomes its kernel.
  let z = larger(p)
  let square = sum(for c in 0..2 { p[c, 2, 3] * larger.params.k[c, 1] }, axis: 0)
  assert close(z[1, 4..6, 6..8], square, 1e-14) and all(shape(z) == [3, 8, 10])
  assert close(upsample([[[1.0, 2.0]]]), [[[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]], 0.0)
  assert all(shape(upsample(p, factor: 3)) == [2, 12, 15])
  assert close(channel_means(p)[1], mean(p[1]), 1e-15)
}

net by_layer = layer_norm(4)
net by_root = rms_norm(4)
net by_group = group_norm(2, 4)

test "norms of one example" {
  let v = [1.0, 2.0, 3.0, 6.0]
  let p = {scale: [1.0, 2.0, 3.0, 4.0], shift: [0.5, 0.0, 0.0, -1.0]}
  // Mean 3, variance (4 + 1 + 0 + 9) / 4; mean square 50 / 4.
  let by_hand = [-2.0, -2.0, 0.0, 12.0] / sqrt(3.5 + 1e-5) + p.shift
  assert close(by_layer.with(p)(v), by_hand, 1e-14)
  assert close(by_root.with({scale: p.scale})(v), [1.0, 4.0, 9.0, 24.0] / sqrt(12.5 + 1e-6), 1e-14)
  assert close(mean(by_layer(v)), 0.0, 1e-14) and close(var(by_layer(v)), 1.0, 1e-5)
  let y = by_group.with(p)(some([4, 2, 3]))
  let first = some([4, 2, 3])[0..2]
  assert close(y[1], 2.0 * (first[1] - mean(first)) / sqrt(var(first) + 1e-5), 1e-14)
  let last = some([4, 2, 3])[2..4]
  assert close(y[3], 4.0 * (last[1] - mean(last)) / sqrt(var(last) + 1e-5) - 1.0, 1e-14)
  assert all(is_finite(by_layer(zeros(4)))) and all(is_finite(by_root(zeros(4))))
  // Of one channel a row, and the derivative at no variance at all.
  let z = zeros(4)
  assert all(is_finite(grad(sum(by_layer(z)), wrt: z))) and all(is_finite(grad(sum(by_root(z)), wrt: z)))
}

net chain = sequential([dense(2, 3), apply(tanh), residual(dense(3, 3)), beside(dense(3, 2))])
net each = rows(dense(2, 3))
net pair_of = double_conv(1, 2)
net unet = u_net(1, 2, [3, 4, 5])
net shallow = u_net(1, 2, [3])

test "layers of layers" {
  let y = chain(x)
  let q = chain.params.layer
  let h = tanh(x @ q[0].w + q[0].b)
  let r = h + h @ q[2].inner.w + q[2].inner.b
  assert close(y, concat(r, r @ q[3].inner.w + q[3].inner.b), 1e-14)
  let batch = [[1.0, 2.0], [3.0, 4.0]]
  assert close(each(batch)[1], batch[1] @ each.params.each.w + each.params.each.b, 1e-14)
}

test "a u-net" {
  let p = some([1, 8, 12])
  let y = unet(p)
  assert all(shape(y) == [2, 8, 12]) and all(shape(shallow(p)) == [2, 8, 12])
  let u = unet.params
  // Written out: down twice, the bottom, and up with what was seen.
  fn conv(p, x, act = relu, padding = 1) = act(functions.conv2d(x, p.k, padding: padding) + spread(p.b, like: zeros(len(p.b), shape(x)[1], shape(x)[2]), axis: [1, 2]))
  fn two(p, x) = conv(p.second, conv(p.first, x))
  fn grow(p, x) {
    let y = functions.conv2d_transpose(x, p.k, stride: 2)
    y + spread(p.b, like: y, axis: [1, 2])
  }
  let a = two(u.encode[0], p)
  let b = two(u.encode[1], functions.max_pool(a, 2))
  let c = two(u.bottom, functions.max_pool(b, 2))
  let d = two(u.decode[1], concat(b, grow(u.grow[1], c)))
  let e = two(u.decode[0], concat(a, grow(u.grow[0], d)))
  assert close(y, conv(u.head, e, act: |v| v, padding: 0), 1e-12)
  assert close(pair_of(p), two(pair_of.params, p), 1e-14)
}

test "derivatives agree with differences" {
  fn by(net_of, input) = |p| sum(sin(net_of(p)(input)))
  // What has no declared size is known from the first call.
  let (p, s, g) = (some([2, 4, 5]), some([2, 6]), some([4, 2, 3]))
  assert all(is_finite(flatten(([pictures(p)], [larger(p)], [series(s)], [by_group(g)], [chain(x)]))))
  assert gradients_match(by(|p| affine.with(p), x), at: affine.params)
  assert gradients_match(by(|p| three.with(p), x), at: three.params)
  assert gradients_match(by(|p| gate.with(p), x), at: gate.params)
  assert gradients_match(by(|p| words.with(p), 2), at: words.params)
  assert gradients_match(by(|p| pictures.with(p), some([2, 4, 5])), at: pictures.params)
  assert gradients_match(by(|p| series.with(p), some([2, 6])), at: series.params)
  assert gradients_match(by(|p| larger.with(p), some([2, 3, 2])), at: larger.params)
  assert gradients_match(by(|p| by_layer.with(p), some([4])), at: by_layer.params)
  assert gradients_match(by(|p| by_root.with(p), some([4])), at: by_root.params)
  assert gradients_match(by(|p| by_group.with(p), some([4, 2, 3])), at: by_group.params)
  assert gradients_match(by(|p| chain.with(p), x), at: chain.params)
  let smooth = |v| sum(sin(by_layer(v)) + by_root(v))
  assert gradients_match(smooth, at: some([4]))
  assert gradients_match(|v| sum(square(by_group(v)) * some([4, 2, 3], from: 1.0)), at: some([4, 2, 3]))
  assert gradients_match(|v| sum(gelu(v) + elu(v) + selu(v) + mish(v)), at: [-2.0, -0.5, 0.3, 2.0])
}

test "a batch is a loop" {
  let many = some([3, 2, 4, 5])
  let all = for p in many { pictures(p) }
  assert close(all[2], pictures(many[2]), 1e-13)
  let up = for p in many { larger(p) }
  assert close(up[1], larger(many[1]), 1e-13)
  let us = for p in some([2, 1, 4, 4]) { unet(p) }
  assert close(us[1], unet(some([2, 1, 4, 4])[1]), 1e-13)
  let normal = for v in some([3, 4]) { by_layer(v) + by_root(v) }
  assert close(normal[2], by_layer(some([3, 4])[2]) + by_root(some([3, 4])[2]), 1e-14)
  let words_of = for i in [4, 0] { words(i) }
  assert close(words_of[1], words(0), 0.0)
}
