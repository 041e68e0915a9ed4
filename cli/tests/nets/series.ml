// Recurrent layers and attention: against numbers computed apart from the library, in Python, and sums written out.

precision f64

use std.nn.{gru, gru_cell, lstm, lstm_cell, both_ways, dense}
use std.nn.{attend, causal, attention, sinusoids, rotary, positions, transformer_block, gelu}
use std.testing.gradients_match

fn some(sizes, from = 0.0) = reshape(sin(from + real(iota(size(zeros(sizes))))), sizes)
fn cosines(sizes) = reshape(cos(real(iota(size(zeros(sizes))))), sizes)

let xs = some([4, 2])

net g = gru(2, 3)
net g_step = gru_cell(2, 3)
let g_params = {w: some([2, 9], from: 1.0), u: cosines([3, 6]), v: reshape(sin(0.5 * real(iota(9))), 3, 3), b: 0.1 * real(iota(9))}

test "a gated recurrent unit" {
  let states = g.with({cell: g_params})(xs)
  let by_python = [
    [0.117445735014931, -0.024486224483915, 0.043250950879765],
    [0.544585329456094, 0.536359373012439, 0.355939121174476],
    [0.641728593985567, 0.788424594831992, 0.622227636283613],
    [0.652050381529094, 0.563185683361943, 0.626333071674834],
  ]
  assert close(states, by_python, 1e-14)
  assert close(g_step.with(g_params)(xs[1], states[0]), states[1], 1e-15)
  assert close(g.with({cell: g_params})(xs[2..], start: states[1]), states[2..], 1e-15)
}

net l = lstm(2, 3)
net l_step = lstm_cell(2, 3)
let l_params = {w: some([2, 12], from: 1.0), u: cosines([3, 12]), b: 0.1 * real(iota(12))}

test "long short-term memory" {
  let states = l.with({cell: l_params})(xs)
  let by_python = [
    [0.247795100099368, 0.324956263619757, 0.319531658419094],
    [0.347782776437078, 0.227921400947861, 0.358024885910597],
    [0.440623378548266, 0.528937690991348, 0.521690572142006],
    [0.424115522073376, 0.266044853162403, 0.351322791015419],
  ]
  assert close(states, by_python, 1e-14)
  let (h, c) = l_step.with(l_params)(xs[0], zeros(3), zeros(3))
  assert close(c, [0.364639694473547, 0.645470770667743, 0.614695899731875], 1e-14)
  assert close(l.with({cell: l_params})(xs[1..], start: (h, c)), states[1..], 1e-15)
  let first = l(xs)
  assert close(l.params.cell.b[3..6], ones(3), 0.0)
}

net two = both_ways(gru(2, 3), lstm(2, 2))

test "a series read both ways" {
  let y = two(xs)
  assert all(shape(y) == [4, 5])
  // A change at the end reaches the backward half of the first row, and not the forward one.
  let other = put(xs, 3, [5.0, 5.0])
  let z = two(other)
  assert close(z[0, 0..3], y[0, 0..3], 0.0) and not close(z[0, 3..], y[0, 3..], 1e-6)
  assert close(z[0..3, 0..3], y[0..3, 0..3], 0.0)
}

test "attention is a mean of values" {
  let (q, k, v) = (some([3, 2]), some([4, 2], from: 1.0), some([4, 5], from: 2.0))
  let y = attend(q, k, v)
  let weights = for j in 0..4 { exp(dot(q[1], k[j]) / sqrt(2.0)) }
  assert close(y[1], sum(for j in 0..4 { weights[j] * v[j] }, axis: 0) / sum(weights), 1e-14)
  let mask = [[true, false, false, true], [false, false, false, false], [true, true, true, true]]
  let m = attend(q, k, v, mask: mask)
  let (a, b) = (exp(dot(q[0], k[0]) / sqrt(2.0)), exp(dot(q[0], k[3]) / sqrt(2.0)))
  assert close(m[0], (a * v[0] + b * v[3]) / (a + b), 1e-14)
  assert close(m[1], zeros(5), 0.0)
  assert close(m[2], attend(q, k, v)[2], 1e-14)
  assert gradients_match(|(q, k, v)| sum(square(attend(q, k, v, mask: mask))), at: (q, k, v))
}

test "causal masks" {
  assert all(causal(3) == [[true, false, false], [true, true, false], [true, true, true]])
  assert all(causal(2, m: 3) == [[true, true, false], [true, true, true]])
}

net look = attention(4, 2)
net block = transformer_block(4, 2, hidden: 6)
net wet = transformer_block(4, 2, drop: 0.5)

let s = some([5, 4])
let later = put(s, 3, [1.0, -1.0, 2.0, 0.0])

test "attention in heads" {
  let y = look(s)
  let p = look.params
  let by_hand = sum(
    for h in 0..2 { attend(s @ p.wq[h], s @ p.wk[h], s @ p.wv[h]) @ p.wo[h] },
    axis: 0,
  )
  assert close(y, by_hand, 1e-13)
  // To another series, of three rows.
  let other = some([3, 4], from: 7.0)
  let across = sum(for h in 0..2 { attend(s @ p.wq[h], other @ p.wk[h], other @ p.wv[h]) @ p.wo[h] }, axis: 0)
  assert close(look(s, context: other), across, 1e-13)
}

test "nothing sees what comes later" {
  let (a, b) = (look(s, mask: causal(5)), look(later, mask: causal(5)))
  assert close(a[0..3], b[0..3], 0.0) and not close(a[3..], b[3..], 1e-3)
  let (c, d) = (block(s, mask: causal(5)), block(later, mask: causal(5)))
  assert close(c[0..3], d[0..3], 0.0) and not close(c[3..], d[3..], 1e-3)
  assert not close(block(s)[0], block(later)[0], 1e-3)
  // Nor does a derivative go back.
  let x = s
  let back = grad(sum(block(x, mask: causal(5))[1]), wrt: x)
  assert close(back[2..], zeros(3, 4), 0.0) and not close(back[0], zeros(4), 1e-3)
}

test "a block" {
  let all = block(s)
  let p = block.params
  fn norm_of(r) = (r - mean(r)) / sqrt(var(r) + 1e-5)
  let seen = look.with(p.look)(for r in s { norm_of(r) })
  let y = s + seen
  let out = for r in y { r + gelu(norm_of(r) @ p.widen.w + p.widen.b) @ p.narrow.w + p.narrow.b }
  assert close(all, out, 1e-13)
  assert close(wet(s), wet(s), 0.0) and not close(wet(s, train: true), wet(s), 1e-3)
}

net place = positions(6, 4)

test "positions" {
  let t = sinusoids(5, 4)
  assert close(t[3], [sin(3.0), cos(3.0), sin(0.03), cos(0.03)], 1e-14)
  assert all(shape(sinusoids(3, 5)) == [3, 5])
  let placed = place(s)
  assert close(placed, s + place.params.place[0..5], 0.0)
  let r = rotary(s)
  assert close(r[0], s[0], 0.0)
  let (c, d) = (cos(2.0), sin(2.0))
  assert close(r[2, 0..2], [c * s[2, 0] - d * s[2, 1], d * s[2, 0] + c * s[2, 1]], 1e-14)
  assert close(r[2, 3], sin(0.02) * s[2, 2] + cos(0.02) * s[2, 3], 1e-14)
  // Lengths stay, and products depend on the distance alone.
  assert close(for v in r { norm(v) }, for v in s { norm(v) }, 1e-14)
  assert close(rotary(s[2..], from: 2), r[2..], 1e-15)
  let (a, b) = (rotary(stack([s[0], s[1]])), rotary(stack([s[0], s[1]]), from: 7))
  assert close(dot(a[0], a[1]), dot(b[0], b[1]), 1e-13)
}

net wide = attention(64, 4)
net far = positions(100, 50, sd: 0.1)

// Of 4096 and 5000 draws: the variance is within five standard errors, 5 sqrt(2 / n), with a probability of 1 - 6e-7 each.
test "first values" {
  let (y, z) = (wide(zeros(1, 64)), far(zeros(1, 50)))
  let p = wide.params
  let variances = for w in [p.wq, p.wk, p.wv, p.wo] { 64.0 * mean(square(flatten(w))) }
  assert all(abs(variances - 1.0) < 5.0 * sqrt(2.0 / 4096.0))
  assert close(100.0 * mean(square(far.params.place)), 1.0, 5.0 * sqrt(2.0 / 5000.0))
}

test "derivatives agree with differences" {
  assert gradients_match(|p| sum(square(g.with({cell: p})(xs))), at: g_params)
  assert gradients_match(|p| sum(square(l.with({cell: p})(xs))), at: l_params)
  assert gradients_match(|x| sum(square(g.with({cell: g_params})(x)) + square(l.with({cell: l_params})(x))), at: xs)
  let (a, b) = (look(s), block(s))
  assert gradients_match(|p| sum(sin(look.with(p)(s, mask: causal(5)))), at: look.params)
  assert gradients_match(|p| sum(sin(block.with(p)(s))), at: block.params)
  assert gradients_match(|x| sum(sin(block(x, mask: causal(5)))), at: s)
  assert gradients_match(|x| sum(square(rotary(x)) * some([5, 4], from: 1.0)), at: s)
}

test "a batch is a loop" {
  let many = stack([s, later, 2.0 * s])
  let all = for x in many { block(x, mask: causal(5)) }
  assert close(all[1], block(later, mask: causal(5)), 1e-13)
  let hs = for x in stack([xs, -xs]) { g.with({cell: g_params})(x) }
  assert close(hs[1], g.with({cell: g_params})(-xs), 1e-14)
  let ls = for x in stack([xs, -xs]) { l.with({cell: l_params})(x) }
  assert close(ls[1], l.with({cell: l_params})(-xs), 1e-14)
}
