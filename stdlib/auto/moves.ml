// What moves a guide otherwise than down a gradient: points that push one another, and the natural gradient.

use std.linalg.{diagonal, diag, eye}
use std.auto.{layout, width, trace_at, height, search}

/// A guide of `n` points, of which a draw is one: `update cloud by stein(m, cloud.params) using adam(lr: 0.1)` moves
/// them. It draws only.
fn particles(m, n = 50, start = search(), spread = 1.0) {
  let parts = layout(m)
  let d = width(parts)
  let frame = (start)(m, parts)
  param at = for i in 0..n { frame.at + spread * randn([d]) }
  fn draw() {
    let i = int(rand() * real(n))
    let (t, slope) = trace_at(parts, at[min(i, n - 1)])
    (t, -slope)
  }
  generative(sample: draw, sites: sites(m), name: "particles")
}

/// Where not to move the points of `particles`, as a gradient for `update`: against the density, and toward one another
/// (Liu and Wang 2016, algorithm 1; the kernel exp(-|x - y|^2 / h) with h the median of the squared distances over log
/// n).
fn stein(m, p) {
  needs_exact(m, hint: "the slope of an estimated density is biased; fit a guide by `elbo`, or keep the model's auxiliaries as sites")
  let parts = layout(m)
  let x = p.at
  let n = real(len(x))
  let g = for v in x { grad(height(m, parts, v), wrt: v) }
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
