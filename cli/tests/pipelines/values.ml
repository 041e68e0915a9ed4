// Values and functions: partial application, type variables, arithmetic on sizes, defaults, patterns.

use std.testing.{gradients_match, unbiased}
use std.dist.{normal, bernoulli}

param mu = 0.5

fn affine(x, scale, shift = 1.0) = x * scale + shift
let double = affine(scale: 2.0)
let plain = double(shift: 0.0)

fn twice(x: T[n], y: T[n]) -> T[n] = x + y * T(2)
fn longer(x: real[n], y: real[n + 1]) = sum(x) + sum(y) * real(n)
fn solved(x: real[2 * k - 1], y: real[k]) -> real = real(k) + sum(x) + sum(y)
fn whole(s: {w: real, h: real[m]}, t: (real, int[m])) -> real {
  let (a, _) = t
  s.w * sum(s.h) * real(m) + a
}
fn earlier(x: real[n], y = zeros(n), z = sum(y)) = sum(x + y) + z
fn curved(x) = sum(sin(x) * x) + x[0] * x[1]
fn energy(p) = sum(p.a * p.a) * p.b
let (one, {u, v: (three, _)}, _) = (1.0, {u: 2.0, v: (3.0, 4.0)}, 5.0)
let product = |(a, b), {c}, _| a * b * c

test "partial application" {
  assert double(3.0) == 7.0
  assert double(3.0, 2.0) == 8.0
  assert plain(3.0) == 6.0
  assert all(map(affine(scale: 2.0, shift: 0.0), [1.0, 2.0]) == [2.0, 4.0])
  let by_shift = affine(x: 2.0, shift: 5.0)
  assert by_shift(10.0) == 25.0
}

test "type variables and sizes" {
  assert all(twice([1.0, 2.0], [3.0, 4.0]) == [7.0, 10.0])
  assert all(twice([1, 2], [3, 4]) == [7, 10])
  assert longer(ones(2), ones(3)) == 8.0
  assert solved(ones(5), ones(3)) == 11.0
  assert whole({w: 2.0, h: ones(3)}, (1.0, [1, 2, 3])) == 19.0
  assert earlier(ones(2)) == 2.0
  assert earlier(ones(2), ones(2)) == 6.0
}

test "patterns" {
  assert one + u + three == 6.0
  assert product((2.0, 3.0), {c: 4.0}, 5.0) == 24.0
}

test "conversions" {
  assert f64(0.1) != f64(f32(0.1))
  assert int(2.7) + int(true) == 3
  assert real(3) / 2.0 == 1.5
}

test "gradients match finite differences" {
  assert gradients_match(curved, at: [1.0, 2.0, 3.0])
  assert gradients_match(|x| exp(x) * x, at: 0.7)
  assert gradients_match(energy, at: {a: [1.0, 2.0], b: 3.0})
  assert not gradients_match(|x| stop(x) * x, at: 0.7).holds
}

// Each holds unless a draw falls out of bounds, with a probability of at most 1e-6.
test "estimates are unbiased" {
  assert unbiased(|_| grad(expect { z ~ normal(mu, 1.0) via reinforce; z * z }, wrt: mu), truth: 1.0)
  assert unbiased(|_| grad(expect { z ~ bernoulli(sigmoid(mu)); 3.0 * z }, wrt: mu), truth: 0.705011)
  assert not unbiased(|_| grad(expect { z ~ normal(mu, 1.0); z * z }, wrt: mu), truth: 1.5).holds
}

test "golden values" {
  snapshot curved([1.0, 2.0, 3.0])
  snapshot {third: ones(3) / 3.0, kinds: (1, true)}
}

test "assertions in lists and functions" {
  for f in [cos, abs, square] { assert f(0.5) == f(-0.5) }
  for i in list(0..3) { assert i < 3 }
}
