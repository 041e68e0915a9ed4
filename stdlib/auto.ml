// Guides for any model's open sites. A guide draws one vector of reals and maps its parts into the supports of the sites, so its
// trace has the model's addresses and shapes. It keeps its parameters under the name that it is given: `model guide = full_rank(m)`.
//
// The vector is seen from a frame, which is fixed when the guide is made: `at + root @ y`, or `at + root * y` where `root` is a
// vector. Parameters are those of the distribution of y, so all directions begin at about the same scale.

use std.dist.{normal, multivariate_normal}
use std.linalg.{diagonal, eye}
use std.supports.reals

// --- From a vector to a trace ---

// The sites of a model, each with its map from the reals `first` to `first + size` of the vector.
fn _parts(m) {
  let all = sites(m)
  if len(all) == 0 {
    refuse("the model has no open site", hint: "a guide draws what is not observed: leave a site out of `given`")
  }
  let r = scan (parts = [], n = 0) for s in all, unroll: true {
    let p = _part(s, n)
    next parts = append(parts, p)
    next n = n + p.size
  }
  r.parts
}

fn _part(s, first) {
  if s.finite {
    refuse("a guide draws reals, and this site is discrete", at: s.at, hint: "sum it out: `marginal(m, sum: .site)`")
  }
  if not provided(s.map) {
    refuse(
      "nothing maps reals onto the support of this site",
      at: s.at,
      hint: "a support that has `constrain`, `free` and `log_jacobian` is needed, and no other site may move it"
    )
  }
  let map = if is_function(s.map) { reals } else { s.map }
  let lanes = len(s.shape) - s.axes
  let free = shape(_lanes(map.free, zeros(s.shape), lanes))
  {at: s.at, map: map, lanes: lanes, free: free, first: first, size: size(zeros(free))}
}

// The functions of a support go over plates lane by lane.
fn _lanes(f, x, n) = if n == 0 { f(x) } else { for row in x { _lanes(f, row, n - 1) } }

fn _size(parts) {
  let last = parts[len(parts) - 1]
  last.first + last.size
}

// The trace at a vector, and the logarithm of the determinant of the map there.
fn _trace(parts, x) {
  let r = scan (t = {}, l = 0.0) for p in parts, unroll: true {
    let u = reshape(x[p.first..p.first + p.size], p.free)
    next t = merge(t, place(p.at, _lanes(p.map.constrain, u, p.lanes)))
    next l = l + sum(_lanes(p.map.log_jacobian, u, p.lanes))
  }
  (r.t, r.l)
}

// The vector of a trace, and the same logarithm.
fn _vector(parts, t) {
  let x = scan (x = []) for p in parts, unroll: true {
    next x = append(x, flatten(_lanes(p.map.free, at(t, p.at), p.lanes)))
  }
  let v = concat(x)
  let (_, l) = _trace(parts, v)
  (v, l)
}

// --- Where to begin ---

// The log density of the model as one of vectors.
fn _height(m, parts, x) {
  let (t, l) = _trace(parts, x)
  logdensity(m, t) + l
}

/// For `start:` of guides: of `n` points between -2 and 2 in each direction, 0 among them, the one where the density is highest;
/// points where it or its derivative is no number do not count.
fn search(n = 64) = |m, parts| {at: _best(m, parts, n), root: ones(_size(parts))}

fn _best(m, parts, n) {
  let d = _size(parts)
  let xs = for i in 0..n { (4.0 * rand(d) - 2.0) * real(i) / real(max(n - 1, 1)) }
  let heights = for x in xs {
    let h = _height(m, parts, x)
    select(is_finite(h) and all(is_finite(grad(h, wrt: x))), h, -inf)
  }
  xs[argmax(heights)]
}

/// For `start:` of guides: from `search(n)` uphill by at most `steps` steps of Newton's method, damped where that does not go up
/// (Marquardt 1963). The frame is that of the curvature there: the covariance of the Laplace approximation is root @ root.T. It
/// takes the eigenvalues of a matrix of all directions at each step, once, when the guide is made.
fn newton(n = 64, steps = 50) = |m, parts| _uphill(m, parts, _best(m, parts, n), steps)

// Eigenvalues of the curvature, as if all of it went down, and their vectors.
fn _curvature(m, parts, x) {
  let h = -hessian(_height(m, parts, x), wrt: x)
  let (w, u) = eigh(0.5 * (h + h.T))
  (max(abs(w), 1e-6), u)
}

fn _uphill(m, parts, start, steps) {
  let end = scan (x = start, damping = 1e-2) for i in 0..steps {
    let h = _height(m, parts, x)
    let g = grad(h, wrt: x)
    let (w, u) = _curvature(m, parts, x)
    let moved = x + u @ ((g @ u) / (w + damping * mean(w)))
    let new = _height(m, parts, moved)
    let better = is_finite(new) and new >= h
    next x = select(better, moved, x)
    next damping = select(better, 0.3 * damping, 10.0 * damping)
  }
  let (w, u) = _curvature(m, parts, end.x)
  {at: end.x, root: u / broadcast_to(sqrt(w), shape(u))}
}

// --- Guides ---

// In a frame: the vector of y, y of a vector, and the logarithm of the determinant.
fn _seen(frame) =
  if rank(frame.root) == 1 {
    {
      out: |y| frame.at + frame.root * y,
      back: |x| (x - frame.at) / frame.root,
      log_scale: sum(log(abs(frame.root))),
    }
  } else {
    let (_, log_scale) = slogdet(frame.root)
    {out: |y| frame.at + frame.root @ y, back: |x| solve(frame.root, x - frame.at), log_scale: log_scale}
  }

model _drawn(d) { y ~ d via reparam }

// The guide whose y has the distribution that `of` makes.
fn _guide(m, parts, frame, of, name) {
  let f = _seen(frame)
  fn draw() {
    let (drawn, l) = sample(_drawn(of()))
    let (t, slope) = _trace(parts, f.out(drawn.y))
    (t, l - f.log_scale - slope)
  }
  fn density(t) {
    let (x, slope) = _vector(parts, t)
    of().logpdf(f.back(x)) - f.log_scale - slope
  }
  generative(sample: draw, density: density, sites: sites(m), name: name)
}

/// A guide with one normal distribution for each real, independent. `start` is where it begins: `search()` or `newton()`.
fn mean_field(m, start = search(), scale = 0.1) {
  let parts = _parts(m)
  let frame = (start)(m, parts)
  param loc = zeros(_size(parts))
  param sd in positive = scale * ones(_size(parts))
  _guide(m, parts, frame, || normal(loc, sd), "mean_field")
}

/// A guide with one normal distribution of all reals.
fn full_rank(m, start = newton(), scale = 1.0) {
  let parts = _parts(m)
  let d = _size(parts)
  let frame = (start)(m, parts)
  param loc = zeros(d)
  param root in covariance_cholesky(d) = scale * eye(d)
  _guide(m, parts, frame, || multivariate_normal(loc, scale: root), "full_rank")
}

/// A guide with one normal distribution of all reals, whose covariance is diagonal but for `rank` directions (Ong, Nott and Smith
/// 2018).
fn low_rank(m, rank = 1, start = search(), scale = 0.1) {
  let parts = _parts(m)
  let d = _size(parts)
  let frame = (start)(m, parts)
  param loc = zeros(d)
  param sd in positive = scale * ones(d)
  param factor = 0.1 * scale * randn([d, rank])
  _guide(m, parts, frame, || multivariate_normal(loc, diagonal: sd * sd, factor: factor), "low_rank")
}

/// A guide that is known when it is made: the normal distribution around the mode with the curvature there.
fn laplace(m, start = newton()) = full_rank(m, start: start, scale: 1.0)

/// A guide with one value, and no spread: of the density of the model with respect to its reals it finds the mode.
fn delta(m, start = search()) {
  let parts = _parts(m)
  let frame = (start)(m, parts)
  param loc = zeros(_size(parts))
  let f = _seen(frame)
  fn draw() {
    let (t, slope) = _trace(parts, f.out(loc))
    (t, -slope)
  }
  generative(sample: draw, sites: sites(m), name: "delta")
}
