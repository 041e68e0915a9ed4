// Linear algebra against identities and closed forms. Rounding is the only error, so tolerances are some hundred units in the
// last place of an f32; `linalg_f64.ml` has the same identities at the precision of an f64.

use std.linalg.{eye, diag, diagonal, trace, symmetrise, kron, frobenius, spectral_norm, nuclear_norm}
use std.linalg.{inverse, det, logdet, cho_solve, lstsq, pinv, expm, cg, power_iteration}

fn spd() = 1.0 * [[4.0, 1.0, 0.5], [1.0, 3.0, -0.5], [0.5, -0.5, 2.0]]

fn general() = 1.0 * [[1.0, 2.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 4.0]]

fn tall() = 1.0 * [[1.0, 2.0], [0.5, -1.0], [2.0, 0.25], [-1.0, 3.0]]

test "small builders" {
  assert close(eye(2), [[1.0, 0.0], [0.0, 1.0]], 0.0)
  assert close(diag([2.0, 3.0]), [[2.0, 0.0], [0.0, 3.0]], 0.0)
  assert close(diagonal(general()), [1.0, -1.0, 4.0], 0.0)
  assert close(diagonal(tall()), [1.0, -1.0], 0.0)
  assert close(trace(general()), 4.0, 1e-6)
  assert close(tril([[1.0, 2.0], [3.0, 4.0]]), [[1.0, 0.0], [3.0, 4.0]], 0.0)
  assert close(triu([[1.0, 2.0], [3.0, 4.0]], k: 1), [[0.0, 2.0], [0.0, 0.0]], 0.0)
  assert close(outer([1.0, 2.0], [3.0, 4.0, 5.0]), [[3.0, 4.0, 5.0], [6.0, 8.0, 10.0]], 0.0)
  assert close(kron([[1.0, 2.0]], [[1.0], [3.0]]), [[1.0, 2.0], [3.0, 6.0]], 0.0)
  assert close(kron(eye(2), tall())[4..8, 2..4], tall(), 0.0)
  assert close(symmetrise([[1.0, 2.0], [4.0, 3.0]]), [[1.0, 3.0], [3.0, 3.0]], 0.0)
  assert close(frobenius([[3.0, 0.0], [0.0, 4.0]]), 5.0, 1e-6)
  assert close(spectral_norm([[3.0, 0.0], [0.0, -4.0]]), 4.0, 1e-5)
  assert close(nuclear_norm([[3.0, 0.0], [0.0, -4.0]]), 7.0, 1e-5)
}

test "Cholesky" {
  let l = cholesky(spd())
  assert close(l @ transpose(l), spd(), 1e-5)
  assert close(triu(l, k: 1), zeros(3, 3), 0.0)
  assert min(diagonal(l)) > 0.0
  assert not any(is_finite(diagonal(cholesky([[1.0, 2.0], [2.0, 1.0]]))))
  let b = [1.0, -2.0, 3.0]
  assert close(spd() @ cho_solve(l, b), b, 1e-5)
  assert close(logdet(spd()), log(det(spd())), 1e-5)
}

test "systems" {
  let b = [1.0, -2.0, 3.0]
  assert close(general() @ solve(general(), b), b, 1e-5)
  assert close(general() @ solve(general(), tril(general())), tril(general()), 1e-5)
  assert close(general() @ inverse(general()), eye(3), 1e-5)
  let l = tril(general())
  let u = triu(general())
  assert close(l @ solve_triangular(general(), b), b, 1e-5)
  assert close(transpose(l) @ solve_triangular(general(), b, transpose: true), b, 1e-5)
  assert close(u @ solve_triangular(general(), b, lower: false), b, 1e-5)
  assert close(transpose(u) @ solve_triangular(general(), b, lower: false, transpose: true), b, 1e-5)
  let ones = tril(general(), k: -1) + eye(3)
  assert close(ones @ solve_triangular(general(), b, unit: true), b, 1e-5)
  // A matrix that all lanes share, and one for each lane.
  let shared = for s in [1.0, 2.0] { solve(general(), s * b) }
  assert close(shared[1], 2.0 * solve(general(), b), 1e-5)
  let own = for s in [1.0, 2.0] { solve(s * general(), b) }
  assert close(own[1], 0.5 * solve(general(), b), 1e-5)
}

test "determinants" {
  assert close(det([[1.0, 2.0], [3.0, 4.0]]), -2.0, 1e-5)
  let (sign, size) = slogdet([[0.0, 2.0], [3.0, 0.0]])
  assert sign == -1.0 and close(size, log(6.0), 1e-6)
  let (none_left, _) = slogdet([[1.0, 2.0], [2.0, 4.0]])
  assert none_left == 0.0
  assert close(det([[1.0, 2.0], [2.0, 4.0]]), 0.0, 0.0)
}

test "eigenvalues" {
  let (w, v) = eigh(spd())
  assert w[0] < w[1] and w[1] < w[2]
  assert close(v @ diag(w) @ transpose(v), spd(), 1e-5)
  assert close(transpose(v) @ v, eye(3), 1e-5)
  let (w2, v2) = eigh([[2.0, 1.0], [1.0, 2.0]])
  assert close(w2, [1.0, 3.0], 1e-6)
  assert close(v2, [[sqrt(0.5), sqrt(0.5)], [-sqrt(0.5), sqrt(0.5)]], 1e-6)
  // The symmetric part is what counts.
  let (w3, _) = eigh([[2.0, 2.0], [0.0, 2.0]])
  assert close(w3, [1.0, 3.0], 1e-6)
}

test "singular values" {
  let (u, s, v) = svd(tall())
  assert close(u @ diag(s) @ transpose(v), tall(), 1e-5)
  assert close(transpose(u) @ u, eye(2), 1e-5)
  assert close(transpose(v) @ v, eye(2), 1e-5)
  let (u2, s2, v2) = svd(transpose(tall()))
  assert close(s2, s, 1e-5)
  assert close(u2 @ diag(s2) @ transpose(v2), transpose(tall()), 1e-5)
  // Columns that depend on one another.
  let (u3, s3, v3) = svd([[1.0, 2.0], [2.0, 4.0], [0.0, 0.0]])
  assert close(s3, [5.0, 0.0], 1e-5)
  assert close(transpose(u3) @ u3, eye(2), 1e-5)
}

test "QR" {
  let (q, r) = qr(tall())
  assert close(q @ r, tall(), 1e-5)
  assert close(transpose(q) @ q, eye(2), 1e-5)
  assert close(tril(r, k: -1), zeros(2, 2), 0.0)
  assert min(diagonal(r)) > 0.0
  // Columns that depend on one another.
  let (q2, r2) = qr([[1.0, 2.0, 0.0], [2.0, 4.0, 1.0], [0.0, 0.0, 1.0]])
  assert close(q2 @ r2, [[1.0, 2.0, 0.0], [2.0, 4.0, 1.0], [0.0, 0.0, 1.0]], 1e-5)
  assert close(transpose(q2) @ q2, eye(3), 1e-5)
  assert close(tril(r2, k: -1), zeros(3, 3), 0.0)
}

test "least squares and the Moore-Penrose inverse" {
  let b = [1.0, 2.0, 3.0, 4.0]
  let x = lstsq(tall(), b)
  let at = transpose(tall())
  assert close(at @ (tall() @ x), at @ b, 1e-4)
  assert close(pinv(tall()) @ b, x, 1e-5)
  let p = pinv([[1.0, 2.0], [2.0, 4.0]])
  assert close(p, [[0.04, 0.08], [0.08, 0.16]], 1e-6)
}

test "the matrix exponential" {
  assert close(expm(zeros(3, 3)), eye(3), 1e-6)
  assert close(expm(diag([1.0, -2.0, 0.5])), diag([exp(1.0), exp(-2.0), exp(0.5)]), 1e-5)
  assert close(expm([[0.0, 1.0, 2.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]]), [[1.0, 1.0, 3.5], [0.0, 1.0, 3.0], [0.0, 0.0, 1.0]], 1e-5)
  let turns = [0.3, 3.0, 40.0]
  let exact = for t in turns { [[cos(t), -sin(t)], [sin(t), cos(t)]] }
  assert close(for t in turns { expm([[0.0, -t], [t, 0.0]]) }, exact, 1e-4)
  assert not any(is_finite(expm([[1e9]])))
  // The derivative along the matrix itself, and by all elements: tr(exp(a)) has the gradient exp(a)ᵀ.
  let a = 0.5 * general()
  assert close(grad(trace(expm(a)), wrt: a), transpose(expm(a)), 1e-4)
}

test "iterations" {
  let b = [1.0, -2.0, 3.0]
  assert close(cg(|v| spd() @ v, b, steps: 6), solve(spd(), b), 1e-4)
  assert close(cg(|v| spd() @ v, b, steps: 6, precondition: |r| r / diagonal(spd())), solve(spd(), b), 1e-4)
  // Derivatives go through the steps, lanes run them side by side.
  assert close(grad(dot(b, cg(|v| spd() @ v, b, steps: 6)), wrt: b), 2.0 * solve(spd(), b), 1e-4)
  let lanes = for s in [1.0, 2.0] { cg(|v| s * (spd() @ v), b, steps: 6) }
  assert close(lanes[1], 0.5 * solve(spd(), b), 1e-4)
  let (w, v) = eigh(spd())
  let (value, vector) = power_iteration(|v| spd() @ v, ones(3))
  assert close(value, w[2], 1e-4)
  assert close(abs(vector), abs(v[.., 2]), 1e-3)
}

test "gradients have their closed forms" {
  let a = spd()
  assert close(grad(logdet(a), wrt: a), inverse(a), 1e-5)
  let m = general()
  let (_, size) = slogdet(m)
  assert close(grad(size, wrt: m), transpose(inverse(m)), 1e-5)
  let (w, v) = eigh(a)
  assert close(grad(w[2], wrt: a), outer(v[.., 2], v[.., 2]), 1e-5)
  let t = tall()
  let (u, s, z) = svd(t)
  assert close(grad(s[0], wrt: t), outer(u[.., 0], z[.., 0]), 1e-5)
  let b = [1.0, -2.0, 3.0]
  assert close(grad(dot(b, solve(m, b)), wrt: b), (inverse(m) + transpose(inverse(m))) @ b, 1e-5)
  // Second derivatives: the Hessian of logdet along d, twice, is -tr(a⁻¹ d a⁻¹ d).
  let d = symmetrise(m)
  let e = inverse(a) @ d
  assert close(dot(d, hvp(logdet(a), wrt: a, along: d)), -trace(e @ e), 1e-4)
}

test "derivatives inside a loop are those of its lanes" {
  let a = spd()
  let each = for s in [1.0, 2.0] {
    let scaled = s * a
    let (w, _) = eigh(scaled)
    let (_, t, _) = svd(scaled)
    (grad(logdet(scaled), wrt: scaled), grad(w[0] + t[0], wrt: scaled), grad(sum(expm(scaled)), wrt: scaled))
  }
  let (x, y, z) = each
  assert close(x[1], 0.5 * inverse(a), 1e-4)
  assert close(y[1], y[0], 1e-4)
  assert close(z[0], transpose(grad(sum(expm(a)), wrt: a)), 1e-3)
}

test "repeated eigenvalues and singular values give finite derivatives" {
  let a = diag([2.0, 2.0, 1.0])
  let (w, v) = eigh(a)
  let g = grad(sum(w * w), wrt: a)
  assert close(g, 2.0 * a, 1e-5)
  // exp(a) by its eigenvectors does not depend on their choice.
  let e = v @ diag(exp(w)) @ transpose(v)
  assert close(grad(trace(e), wrt: a), diag([exp(2.0), exp(2.0), exp(1.0)]), 1e-4)
  assert all(is_finite(grad(sum(v), wrt: a)))
  assert all(is_finite(grad(sum(grad(sum(v @ diag(w)), wrt: a)), wrt: a)))
  let i = eye(3)
  let (p, s, q) = svd(i)
  assert close(grad(sum(s), wrt: i), eye(3), 1e-5)
  // The nearest orthogonal matrix moves with the antisymmetric part: tr(cᵀ p qᵀ) has the gradient (c - cᵀ) / 2 at the identity.
  let c = general()
  assert close(grad(dot(c, p @ transpose(q)), wrt: i), 0.5 * (c - transpose(c)), 1e-5)
  let z = zeros(2, 3)
  let (pz, sz, qz) = svd(z)
  assert all(is_finite(grad(sum(pz) + sum(sz) + sum(qz), wrt: z)))
}
