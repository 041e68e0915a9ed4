// Optimizers that look at a tensor as a whole: at its length, or at the rows and columns of a matrix. What they do to a tensor is
// decided by its rank, when the step is compiled. Tensors of more than two axes are matrices with a row for each index of the first.

use std.linalg.eye
use std.optim.{adam, debias}

/// A step for each tensor in the unit of its length: v = mu v + lr trust |p| / (|g| + decay |p|) (g + decay p), p - v (You, Gitman and
/// Ginsburg 2017, algorithm 1). While a tensor or its gradient is 0 the factor is 1.
optimizer lars(lr: schedule = 0.1, mu = 0.9, trust = 1e-3, decay = 0.0) for p, g {
  state v = zeros_like(p)
  let (long, steep) = (norm(p), norm(g) + decay * norm(p))
  let rate = if long > 0.0 and steep > 0.0 { trust * long / steep } else { 1.0 }
  set v = mu * v + lr(step) * rate * (g + decay * p)
  p - v
}

/// The step of Adam, with weight decay, made as long as the tensor itself: p - lr |p| / |u| u with u = m / (sqrt(v) + eps) + decay p (You
/// et al. 2020, algorithm 2). While a tensor or its step is 0 the factor is 1.
optimizer lamb(lr: schedule = 1e-3, b1 = 0.9, b2 = 0.999, eps = 1e-6, decay = 0.0) for p, g {
  state m = zeros_like(p)
  state v = zeros_like(p)
  set m = lerp(g, m, b1)
  set v = lerp(square(g), v, b2)
  let move = debias(m, b1, step) / (sqrt(debias(v, b2, step)) + eps) + decay * p
  let (long, wide) = (norm(p), norm(move))
  let rate = if long > 0.0 and wide > 0.0 { long / wide } else { 1.0 }
  p - lr(step) * rate * move
}

/// A tensor as a matrix.
fn _matrix(x) = reshape(x, shape(x)[0], -1)

fn _rms(x) = sqrt(mean(square(x)))

/// Adam without the first mean, and for matrices with sums of squares over rows and columns in the place of those of elements:
/// memory for n + m numbers instead of n m (Shazeer and Stern 2018, algorithms 4 and 5, with the options of algorithm 6). Steps are
/// `lr` times the root mean square of the tensor, at least `least`.
optimizer adafactor(
  lr: schedule = |t| min(1e-2, 1.0 / sqrt(real(t) + 1.0)),
  power = 0.8,
  limit = 1.0,
  least = 1e-3,
  eps = 1e-30
) for p, g {
  let decay = 1.0 - (real(step) + 1.0)^(-power)
  let squares = square(g) + eps
  let v = if rank(p) >= 2 {
    state rows = sum(_matrix(zeros_like(p)), axis: 1)
    state columns = sum(_matrix(zeros_like(p)), axis: 0)
    set rows = lerp(sum(_matrix(squares), axis: 1), rows, decay)
    set columns = lerp(sum(_matrix(squares), axis: 0), columns, decay)
    unflatten(flatten(outer(rows / sum(rows), columns)), like: p)
  } else {
    state v = zeros_like(p)
    set v = lerp(squares, v, decay)
    v
  }
  let u = g / sqrt(v)
  p - lr(step) * max(_rms(p), least) / max(1.0, _rms(u) / limit) * u
}

/// A symmetric matrix without negative eigenvalues to a power.
fn _power(a, exponent) {
  let (values, vectors) = eigh(a)
  (for row in vectors { row * max(values, 1e-30)^exponent }) @ transpose(vectors)
}

/// p - lr l^(-1/4) g r^(-1/4), where l and r start at eps 1 and sum up g gᵀ and gᵀ g: for matrices (Gupta, Koren and Singer 2018,
/// algorithm 1). Vectors have one such factor, of power -1/2 (algorithm 2). For tensors whose sides are small: an eigenvalue problem
/// for each at each step.
optimizer shampoo(lr: schedule = 0.1, eps = 1e-4) for p, g {
  let move = if rank(p) == 0 {
    state total = eps + zeros_like(p)
    set total = total + square(g)
    g / sqrt(total)
  } else {
    let m = _matrix(g)
    state left = eps * eye(shape(_matrix(p))[0])
    set left = left + m @ transpose(m)
    let both = if rank(p) == 1 {
      _power(left, -0.5) @ m
    } else {
      state right = eps * eye(shape(_matrix(p))[1])
      set right = right + transpose(m) @ m
      _power(left, -0.25) @ m @ _power(right, -0.25)
    }
    reshape(both, shape(p))
  }
  p - lr(step) * move
}

/// The nearest matrix with orthonormal rows or columns, roughly: `rounds` steps of an iteration by a polynomial of degree 5, which
/// takes singular values to between 0.7 and 1.2 (Jordan et al. 2024, "Muon", with their coefficients).
fn orthogonalized(x: real[n, m], rounds = 5) {
  let wide = if n > m { transpose(x) } else { x }
  let y = scan (y = wide / max(norm(wide), 1e-7)) for i in 0..rounds {
    let a = y @ transpose(y)
    next y = 3.4445 * y + (-4.775 * a + 2.0315 * (a @ a)) @ y
  }
  if n > m { transpose(y) } else { y }
}

/// A velocity made orthogonal, for matrices: p - lr sqrt(max(1, n / m)) orthogonalized(v) - lr decay p (Jordan et al. 2024). Other
/// tensors are moved by the optimizer `other`. Embeddings and last layers are better moved by another one, too: `over .. using ..`.
optimizer muon(lr: schedule = 0.02, mu = 0.95, ahead = true, rounds = 5, decay = 0.0, other = adam(lr: 3e-4)) for p, g {
  if rank(p) >= 2 {
    state v = zeros_like(p)
    set v = mu * v + g
    let m = _matrix(if ahead { g + mu * v } else { v })
    let (n, k) = (shape(m)[0], shape(m)[1])
    let scale = sqrt(max(1.0, real(n) / real(k)))
    p - lr(step) * (scale * reshape(orthogonalized(m, rounds: rounds), shape(p)) + decay * p)
  } else {
    other(p, g)
  }
}
