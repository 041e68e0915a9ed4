// Guides for any model's open sites. A guide draws one vector of reals and maps its parts into the supports of the
// sites, so its trace has the model's addresses and shapes. It keeps its parameters under the name that it is given:
// `model guide = full_rank(m)`.
//
// The vector is seen from a frame, which is fixed when the guide is made: `at + root @ y`, or `at + root * y` where
// `root` is a vector. Parameters are those of the distribution of y, so all directions begin at about the same scale.

use std.dist.{normal, multivariate_normal, transformed}
use std.linalg.{diagonal, diag, eye}
use std.flows.{chain, affine_coupling, reversal}
use std.nn.mlp
use std.supports.reals

// --- From a vector to a trace ---

// The sites of a model, each with its map from the reals `first` to `first + size` of the vector.
fn _parts(m) = _parts_of(sites(m))

fn _parts_of(all) {
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
  let v = _behind(|p| flatten(_lanes(p.map.free, at(t, p.at), p.lanes)), parts)
  let (_, l) = _trace(parts, v)
  (v, l)
}

// The vectors that `f` gives of the items of a list, one behind the other.
fn _behind(f, items, i = 0) =
  if i + 1 == len(items) { f(items[i]) } else { concat(f(items[i]), _behind(f, items, i: i + 1)) }

// --- Where to begin ---

// The log density of the model as one of vectors.
fn _height(m, parts, x) {
  let (t, l) = _trace(parts, x)
  logdensity(m, t) + l
}

/// For `start:` of guides: of `n` points between -2 and 2 in each direction, 0 among them, the one where the density
/// is highest; points where it or its derivative is no number do not count.
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

/// For `start:` of guides: from `search(n)` uphill by at most `steps` steps of Newton's method, damped where that
/// does not go up (Marquardt 1963). The frame is that of the curvature there: the covariance of the Laplace
/// approximation is root @ root.T. It takes the eigenvalues of a matrix of all directions at each step, once, when
/// the guide is made.
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

/// A guide with one normal distribution for each real, independent. `start` is where it begins: `search()` or
/// `newton()`.
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

/// A guide with one normal distribution of all reals, whose covariance is diagonal but for `rank` directions (Ong,
/// Nott and Smith 2018).
fn low_rank(m, rank = 1, start = search(), scale = 0.1) {
  let parts = _parts(m)
  let d = _size(parts)
  let frame = (start)(m, parts)
  param loc = zeros(d)
  param sd in positive = scale * ones(d)
  param factor = 0.1 * scale * randn([d, rank])
  _guide(m, parts, frame, || multivariate_normal(loc, diagonal: sd * sd, factor: factor), "low_rank")
}

/// A guide with one normal distribution for each of `blocks`, lists of addresses such as `[[.mu, .tau], [.theta]]`:
/// within a block all reals depend on one another, between blocks none do. What is in no block is independent.
/// Without `blocks` each site is one.
fn structured(m, blocks = none, start = search(), scale = 0.1) {
  let all = if provided(blocks) { _in_blocks(m, blocks) } else { _one_by_one(sites(m)) }
  let parts = _parts_of(all.sites)
  let d = _size(parts)
  let frame = (start)(m, parts)
  param loc = zeros(d)
  param root in covariance_cholesky(d) = scale * eye(d)
  // Where there is no block, a number for each real.
  fn numbers(i) {
    let p = parts[i]
    if all.ids[i] < 0 { p.first + iota(p.size) } else { -1 - all.ids[i] + zeros_int(p.size) }
  }
  let ids = _behind(numbers, list(0..len(parts)))
  let together = for a in ids { real(ids == a) }
  _guide(m, parts, frame, || multivariate_normal(loc, scale: root * together), "structured")
}

fn _one_by_one(all) = {sites: all, ids: list(0..len(all))}

fn _in_blocks(m, blocks) {
  let r = scan (l = [], ids = [], named = []) for b in 0..len(blocks), unroll: true {
    let mine = sites(m, only: blocks[b])
    next l = _joined(l, mine)
    next ids = _joined(ids, _repeated(b, len(mine)))
    next named = _joined(named, blocks[b])
  }
  let rest = sites(m, without: r.named)
  {sites: _joined(r.l, rest), ids: _joined(r.ids, _repeated(-1, len(rest)))}
}

fn _joined(a, b) = scan (l = a) for i in 0..len(b), unroll: true { next l = append(l, b[i]) }

fn _repeated(x, n) = scan (l = []) for i in 0..n, unroll: true { next l = append(l, x) }

/// A guide that bends a normal distribution: `layers` couplings, in which nets with `hidden` units make scales and
/// shifts of one half of the reals from the other (Dinh, Sohl-Dickstein and Bengio 2017). It needs two reals.
fn flow(m, layers = 4, hidden = 16, start = search(), scale = 0.1) {
  let parts = _parts(m)
  let d = _size(parts)
  if d < 2 {
    refuse("a flow bends one real by another, and there is one only", hint: "use `full_rank(m)`")
  }
  let h = div(d, 2)
  let frame = (start)(m, parts)
  param loc = zeros(d)
  param sd in positive = scale * ones(d)
  let maps = scan (l = []) for i in 0..layers, unroll: true {
    net f[i] = mlp([h, hidden, 2 * (d - h)], act: tanh)
    next l = append(append(l, affine_coupling(f[i], h)), reversal)
  }
  fn affine() = {
    ..reals,
    constrain: |x| loc + sd * x,
    free: |y| (y - loc) / sd,
    log_jacobian: |x| sum(log(sd)) + 0.0 * sum(x),
  }
  _guide(m, parts, frame, || transformed(normal(zeros(d), 1.0), chain(append(maps, affine()))), "flow")
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

/// A guide of `n` points, of which a draw is one: `update cloud by stein(m, cloud.params) using adam(lr: 0.1)` moves them. It
/// draws only.
fn particles(m, n = 50, start = search(), spread = 1.0) {
  let parts = _parts(m)
  let d = _size(parts)
  let frame = (start)(m, parts)
  param at = for i in 0..n { frame.at + spread * randn([d]) }
  fn draw() {
    let i = int(rand() * real(n))
    let (t, slope) = _trace(parts, at[min(i, n - 1)])
    (t, -slope)
  }
  generative(sample: draw, sites: sites(m), name: "particles")
}

/// Where not to move the points of `particles`, as a gradient for `update`: against the density, and toward one another (Liu and Wang
/// 2016, algorithm 1; the kernel exp(-|x - y|^2 / h) with h the median of the squared distances over log n).
fn stein(m, p) {
  let parts = _parts(m)
  let x = p.at
  let n = real(len(x))
  let g = for v in x { grad(_height(m, parts, v), wrt: v) }
  let far = for a in x { for b in x { sqnorm(a - b) } }
  let h = stop(max(median(far), 1e-6)) / log(n + 1.0)
  let k = exp(-far / h)
  let push = for (v, row) in (x, k) { 2.0 / h * (sum(row) * v - row @ x) }
  {at: -(k @ g + push) / n}
}

/// The parameters of a `full_rank` guide after a step of size `rate` along the natural gradient (Amari 1998), `g`
/// being the gradient of what is to grow. The precision moves toward that of the expected curvature, and stays
/// positive definite (Lin, Schmidt and Khan 2020, section 3); the same whatever linear map the reals are seen
/// through. `set guide = natural_step(guide.params, g, 0.1)`.
fn natural_step(p, g, rate) {
  // In the frame where the covariance is 1: half the derivative by the covariance.
  let low = tril(p.root.T @ g.root)
  let s = low + low.T - diag(diagonal(low))
  let precision = eye(len(p.loc)) - rate * s + 0.5 * rate * rate * (s @ s)
  // precision = u @ u.T with an upper triangle, so that the new factor is a lower one.
  let u = flip(flip(cholesky(flip(flip(precision), axis: 1))), axis: 1)
  let root = tril(solve_triangular(u, p.root.T, lower: false).T)
  {loc: p.loc + rate * (root @ (root.T @ g.loc)), root: root}
}

// --- Models written otherwise ---

/// The model with sites drawn around 0 with spread 1, and moved and scaled for the model (Papaspiliopoulos, Roberts
/// and Skold 2007): the trace has the draw before that. `part` between 0 and 1, which may be a parameter, leaves as
/// much of the centre and the spread in the draw (Gorinova, Moore and Hoffman 2020). The distribution declares
/// `apart(part)`, as `normal` does.
fn noncentred(m, site, part = 0.0) = exchange(m, site, |d| d.apart(part))

/// The model in which a site's log density counts `by` times: 0 leaves out what is missing; `by` may go from 0 to 1
/// in training.
fn scaled(m, site, by) = exchange(m, site, |d| (weighed(d, by), |x| x))

/// `d`, whose log density counts `by` times. Draws are those of `d`.
dist weighed(d, by) on d.on {
  logpdf(x) = by * d.logpdf(x)
  sample() = d.sample()
  noise() where reparameterised(d) = d.noise()
  transform(e) where reparameterised(d) = d.transform(e)
}
