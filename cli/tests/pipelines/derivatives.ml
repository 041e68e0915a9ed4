// Derivatives of every kind, and functions that state their own.

precision f64

use std.implicit.{fixed_point, argmin}

param a = 1.3
param w = [[0.2, -0.1], [0.05, 0.3]]

fn sign_ste(x) = sign(x) with vjp(dy) { dy * real(abs(x) <= 1.0) }

fn pair(x, y) = {p: x * y, q: sin(x)} with vjp(d, r) {
  (d.p * y + d.q * cos(x), d.p * x + 0.0 * r.q)
}

fn forward_only(x) = exp(x) with jvp(dx, y) { dx * y }

fn both(x) = x^3 with vjp(dy) { 3.0 * x^2 * dy } with jvp(dx) { 3.0 * x^2 * dx }

fn forward(x, s) = s * x^2 with jvp(dx, ds) { 2.0 * s * x * dx + x^2 * ds }

fn backward(x, s) = s * x^2 with vjp(d) { (2.0 * s * x * d, x^2 * d) }

fn hidden(x) = stop(exp(x)) with vjp(dy, y) { dy * y }

fn hidden_forward(x) = stop(exp(x)) with jvp(dx, y) { dx * y }

fn by_name(scale: real, x: real[n]) = scale * x with vjp(dy) { {x: scale * dy, scale: dot(dy, x)} }

test "jacobian, hessian, laplacian" {
  let x = [1.0, 2.0]
  let f = concat([x[0] * x[1]], [x[0]^2], [sin(x[1])])
  assert close(jacobian(f, wrt: x), [[2.0, 1.0], [2.0, 0.0], [0.0, cos(2.0)]], 1e-14)
  let g = x[0]^3 * x[1] + x[1]^2
  assert close(hessian(g, wrt: x), [[12.0, 3.0], [3.0, 2.0]], 1e-13)
  assert close(laplacian(g, wrt: x), 14.0, 1e-13)
  let m = jacobian(w @ x, wrt: w)
  assert close(m[0, 0], x, 1e-14)
  assert close(m[0, 1], [0.0, 0.0], 1e-14)
  let (jx, ja) = jacobian(a * x, wrt: (x, a))
  assert close(jx, [[1.3, 0.0], [0.0, 1.3]], 1e-14)
  assert close(ja, x, 1e-14)
  let each = for y in [[1.0, 2.0], [3.0, 4.0]] { hessian(sum(y^3), wrt: y) }
  assert close(each[1], [[18.0, 0.0], [0.0, 24.0]], 1e-13)
}

test "entries of a matrix that are equal are entries of their own" {
  let m = [[1.0, 2.0], [2.0, 1.0]]
  assert close(grad(m[0, 1] * m[1, 0] * m[1, 0] + m[0, 0], wrt: m), [[1.0, 4.0], [8.0, 0.0]], 1e-14)
}

test "third and fourth derivatives" {
  let x = 0.7
  let d1 = grad(sin(a * x), wrt: x)
  let d2 = grad(d1, wrt: x)
  let d3 = grad(d2, wrt: x)
  assert close(d3, -a^3 * cos(a * x), 1e-13)
  assert close(grad(d3, wrt: x), a^4 * sin(a * x), 1e-13)
  assert close(grad(d3, wrt: a), -3.0 * a^2 * cos(a * x) + a^3 * x * sin(a * x), 1e-12)
}

test "a function's own derivative" {
  let x = [0.5, -2.0, 0.1]
  assert close(sign_ste(x), [1.0, -1.0, 1.0], 0.0)
  assert close(grad(sum(sign_ste(x)), wrt: x), [1.0, 0.0, 1.0], 0.0)
  let y = [1.0, 2.0, 3.0]
  let r = pair(x, y)
  assert close(grad(sum(r.p) + sum(r.q), wrt: x), y + cos(x), 1e-14)
  assert close(grad(sum(r.p), wrt: y), x, 1e-14)
  assert close(grad(grad(sum(pair(x, y).q^2), wrt: x)[0], wrt: x)[0], 2.0 * (cos(x[0])^2 - sin(x[0])^2), 1e-13)
  assert close(grad(sum(forward_only(x)), wrt: x), exp(x), 1e-14)
  assert close(jvp(forward_only(x), wrt: x, along: y), y * exp(x), 1e-14)
  assert close(hvp(sum(both(x)), wrt: x, along: y), 6.0 * x * y, 1e-13)
  assert close(jvp(both(x), wrt: x, along: y), 3.0 * x^2 * y, 1e-13)
  assert close(grad(sum(by_name(a, x)), wrt: a), sum(x), 1e-14)
}

test "arguments that are known at compile time have no derivative to state" {
  let x = 2.0
  assert close(jvp(forward(x, a), wrt: x, along: 1.0), 4.0 * a, 1e-14)
  assert close(jvp(forward(x, 3.0), wrt: x, along: 1.0), 12.0, 1e-14)
  assert close(jvp(forward(3.0, a), wrt: a, along: 1.0), 9.0, 1e-14)
  assert close(grad(backward(x, 3.0), wrt: x), 12.0, 1e-14)
  assert close(grad(backward(3.0, a), wrt: a), 9.0, 1e-14)
}

test "derivatives of a stated derivative are those of the rule, not of the body" {
  let x = 0.5
  assert close(grad(grad(hidden(x), wrt: x), wrt: x), exp(x), 1e-14)
  assert close(grad(grad(grad(hidden_forward(x), wrt: x), wrt: x), wrt: x), exp(x), 1e-14)
  assert close(hessian(hidden_forward(x), wrt: x), exp(x), 1e-14)
  let lanes = for v in [0.5, 1.0] { grad(grad(hidden(v), wrt: v), wrt: v) }
  assert close(lanes, exp([0.5, 1.0]), 1e-14)
  let y = scan (c = x) for i in 0..2 { next c = hidden(c) }
  let z = scan (c = x) for i in 0..2 { next c = exp(c) }
  assert close(grad(grad(y, wrt: x), wrt: x), grad(grad(z, wrt: x), wrt: x), 1e-12)
}

test "under for, and in a loop" {
  let rows = [[0.5, -2.0], [0.3, 0.9]]
  let g = for r in rows { grad(sum(sign_ste(r)), wrt: r) }
  assert close(g, [[1.0, 0.0], [1.0, 1.0]], 0.0)
  let all = for r in rows { sum(both(a * r)) }
  assert close(grad(sum(all), wrt: a), 3.0 * a^2 * sum(rows^3), 1e-12)
  let (_, ys) = scan (c = a) for i in 0..3 { next c = both(c); yield c }
  assert close(grad(ys[2], wrt: a), 9.0 * a^8, 1e-10)
}

test "implicit derivatives" {
  // x = cos(a x) / 2
  let x = fixed_point(|x, t| 0.5 * cos(t * x), a, 0.5, tol: 1e-13)
  assert close(x, 0.5 * cos(a * x), 1e-12)
  let s = sin(a * x)
  assert close(grad(x, wrt: a), -0.5 * x * s / (1.0 + 0.5 * a * s), 1e-10)
  // Ridge regression: the minimum of |X b - y|^2 + t |b|^2 is (X^T X + t I)^-1 X^T y.
  let xs = [[1.0, 0.2], [0.4, -1.0], [0.3, 0.8]]
  let y = [1.0, -0.5, 0.25]
  let b = argmin(|b, t| sqnorm(xs @ b - y) + t * sqnorm(b), a, zeros(2), tol: 1e-12)
  let gram = xs.T @ xs + [[a, 0.0], [0.0, a]]
  assert close(b, solve(gram, xs.T @ y), 1e-11)
  assert close(jacobian(b, wrt: a), -solve(gram, solve(gram, xs.T @ y)), 1e-10)
  let many = for c in [0.5, 1.0, 2.0] { grad(fixed_point(|x, t| 0.5 * cos(t * x), c, 0.5, tol: 1e-13), wrt: c) }
  let again = for c in [0.5, 1.0, 2.0] {
    let x = fixed_point(|x, t| 0.5 * cos(t * x), c, 0.5, tol: 1e-13)
    -0.5 * x * sin(c * x) / (1.0 + 0.5 * c * sin(c * x))
  }
  assert close(many, again, 1e-9)
}

test "common random numbers" {
  let u = with_key(3) rand(4)
  let v = with_key(3) rand(4)
  let z = with_key(4) rand(4)
  assert close(u, v, 0.0)
  assert not close(u, z, 1e-3)
  assert not close(rand(4), rand(4), 1e-3)
}

test "implicit derivatives forward, and of second order" {
  let x = fixed_point(|x, t| 0.5 * cos(t * x), a, 0.5, tol: 1e-13)
  assert close(jvp(x, wrt: a, along: 2.0), 2.0 * grad(x, wrt: a), 1e-11)
  // The minimum of |w - c|^2 + t |w|^2 is c / (1 + t).
  let c = [1.0, 2.0]
  let w = argmin(|w, t| sqnorm(w - c) + t * sqnorm(w), a, zeros(2), tol: 1e-12)
  assert close(jvp(w, wrt: a, along: 1.0), -c / (1.0 + a)^2, 1e-11)
  assert close(hessian(sum(w), wrt: a), 6.0 / (1.0 + a)^3, 1e-10)
  assert close(grad(grad(sum(w), wrt: a), wrt: a), 6.0 / (1.0 + a)^3, 1e-10)
}

test "implicit derivatives of third order" {
  // The square root by a contraction: derivatives 0.5 a^-1/2, -0.25 a^-3/2, 0.375 a^-5/2.
  let x = fixed_point(|x, t| x - 0.3 * (x * x - t), a, 1.0, tol: 1e-14, order: 3)
  assert close(x, sqrt(a), 1e-13)
  let first = grad(x, wrt: a)
  let second = grad(first, wrt: a)
  assert close(first, 0.5 / sqrt(a), 1e-11)
  assert close(second, -0.25 / a^1.5, 1e-10)
  assert close(grad(second, wrt: a), 0.375 / a^2.5, 1e-9)
  // Of a vector: x = a b + x / 2 has x = 2 a b; x_1 x_2 = 4 a^2 b_1 b_2.
  let b = [1.0, 3.0]
  let y = fixed_point(|y, t| t * b + 0.5 * y, a, zeros(2), tol: 1e-14, order: 2)
  assert close(grad(grad(y[0] * y[1], wrt: a), wrt: a), 24.0, 1e-9)
  // And of the minimum of (w - e^t)^2, which is e^t.
  let w = argmin(|w, t| sqnorm(w - exp(t)), a, zeros(1), tol: 1e-13)
  assert close(grad(grad(grad(w[0], wrt: a), wrt: a), wrt: a), exp(a), 1e-8)
}

fn scaled_by_exp(a, x) = exp(a) * x with jvp(da, dx, y) { y * da + exp(a) * dx }

test "a rule in lanes whose body uses an argument that is the same for all" {
  let a = 0.3
  assert close(grad(sum(for x in [1.0, 2.0] { scaled_by_exp(a, x) }), wrt: a), 3.0 * exp(0.3), 1e-5)
}
