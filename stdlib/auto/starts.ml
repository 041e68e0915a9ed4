// Where a guide begins: `start:` is a function of a model and its parts to a frame {at, root}.

use std.auto.{height, width}

/// For `start:` of guides: of `n` points between -2 and 2 in each direction, 0 among them, the one where the density
/// is highest; points where it or its derivative is no number do not count.
fn search(n = 64) = |m, parts| {at: best_of(m, parts, n), root: ones(width(parts))}

/// The highest of `n` points, as `search` takes it.
fn best_of(m, parts, n) {
  let xs = for i in 0..n { _point(parts) * real(i) / real(max(n - 1, 1)) }
  xs[argmax(_heights(m, parts, xs))]
}

/// The first of `n` points between -2 and 2 in each direction where the density and its derivative are numbers.
fn first_of(m, parts, n) {
  let xs = for i in 0..n { _point(parts) }
  xs[argmax(real(_heights(m, parts, xs) > -inf))]
}

fn _point(parts) = 4.0 * rand(width(parts)) - 2.0

fn _heights(m, parts, xs) = for x in xs {
  let h = height(m, parts, x)
  select(is_finite(h) and all(is_finite(grad(h, wrt: x))), h, -inf)
}

/// For `start:` of guides: from `search(n)` uphill by at most `steps` steps of Newton's method, damped where that
/// does not go up (Marquardt 1963). The frame is that of the curvature there: the covariance of the Laplace
/// approximation is root @ root.T. It takes the eigenvalues of a matrix of all directions at each step, once, when
/// the guide is made.
fn newton(n = 64, steps = 50) = |m, parts| _uphill(m, parts, best_of(m, parts, n), steps)

// Eigenvalues of the curvature, as if all of it went down, and their vectors.
fn _curvature(m, parts, x) {
  let h = -hessian(height(m, parts, x), wrt: x)
  let (w, u) = eigh(0.5 * (h + h.T))
  (max(abs(w), 1e-6), u)
}

fn _uphill(m, parts, start, steps) {
  let end = scan (x = start, damping = 1e-2) for i in 0..steps {
    let h = height(m, parts, x)
    let g = grad(h, wrt: x)
    let (w, u) = _curvature(m, parts, x)
    let moved = x + u @ ((g @ u) / (w + damping * mean(w)))
    let new = height(m, parts, moved)
    let better = is_finite(new) and new >= h
    next x = select(better, moved, x)
    next damping = select(better, 0.3 * damping, 10.0 * damping)
  }
  let (w, u) = _curvature(m, parts, end.x)
  {at: end.x, root: u / broadcast_to(sqrt(w), shape(u))}
}
