// Guides for any model's open sites. A guide draws one vector of reals and maps its parts into the supports of the
// sites, so its trace has the model's addresses and shapes. It keeps its parameters under the name that it is given:
// `model guide = full_rank(m)`.
//
// The vector is seen from a frame, which is fixed when the guide is made: `at + root @ y`, or `at + root * y` where
// `root` is a vector. Parameters are those of the distribution of y, so all directions begin at about the same scale.

use std.dist.{normal, multivariate_normal, transformed}
use std.linalg.eye
use std.flows.{chain, affine_coupling, reversal}
use std.nn.mlp
use std.supports.reals
use std.auto.{layout, layout_of, width, trace_at, vector_of, behind, search, newton}

/// A frame with the logarithm of its determinant.
fn framed(f) = {
  ..f,
  log_scale: if rank(f.root) == 1 { sum(log(abs(f.root))) } else {
    let (_, l) = slogdet(f.root)
    l
  },
}

/// In a frame: the vector of y, and y of a vector.
fn out_of(frame, y) = if rank(frame.root) == 1 { frame.at + frame.root * y } else { frame.at + frame.root @ y }

fn _into(frame, x) = if rank(frame.root) == 1 { (x - frame.at) / frame.root } else { solve(frame.root, x - frame.at) }

model _drawn(d) { y ~ d via reparam }

/// The guide whose vector, seen from a frame, has the distribution that `of` makes.
fn seen_from(m, parts, frame, of, name) {
  fn draw() {
    let (drawn, l) = sample(_drawn(of()))
    let (t, slope) = trace_at(parts, out_of(frame, drawn.y))
    (t, l - frame.log_scale - slope)
  }
  fn density(t) {
    let (x, slope) = vector_of(parts, t)
    of().logpdf(_into(frame, x)) - frame.log_scale - slope
  }
  generative(sample: draw, density: density, sites: sites(m), name: name, exact: true)
}

/// A guide with one normal distribution for each real, independent. `start` is where it begins: `search()` or
/// `newton()`.
fn mean_field(m, start = search(), scale = 0.1) {
  let parts = layout(m)
  state frame = framed((start)(m, parts))
  param loc = zeros(width(parts))
  param sd in positive = scale * ones(width(parts))
  seen_from(m, parts, frame, || normal(loc, sd), "mean_field")
}

/// A guide with one normal distribution of all reals.
fn full_rank(m, start = newton(), scale = 1.0) {
  let parts = layout(m)
  let d = width(parts)
  state frame = framed((start)(m, parts))
  param loc = zeros(d)
  param root in covariance_cholesky(d) = scale * eye(d)
  seen_from(m, parts, frame, || multivariate_normal(loc, scale: root), "full_rank")
}

/// A guide with one normal distribution of all reals, whose covariance is diagonal but for `rank` directions (Ong,
/// Nott and Smith 2018).
fn low_rank(m, rank = 1, start = search(), scale = 0.1) {
  let parts = layout(m)
  let d = width(parts)
  state frame = framed((start)(m, parts))
  param loc = zeros(d)
  param sd in positive = scale * ones(d)
  param factor = 0.1 * scale * randn([d, rank])
  seen_from(m, parts, frame, || multivariate_normal(loc, diagonal: sd * sd, factor: factor), "low_rank")
}

/// A guide with one normal distribution for each of `blocks`, lists of addresses such as `[[.mu, .tau], [.theta]]`:
/// within a block all reals depend on one another, between blocks none do. What is in no block is independent.
/// Without `blocks` each site is one.
fn structured(m, blocks = none, start = search(), scale = 0.1) {
  let all = if provided(blocks) { _in_blocks(m, blocks) } else { _one_by_one(sites(m)) }
  let parts = layout_of(all.sites)
  let d = width(parts)
  state frame = framed((start)(m, parts))
  param loc = zeros(d)
  param root in covariance_cholesky(d) = scale * eye(d)
  // Where there is no block, a number for each real.
  fn numbers(i) {
    let p = parts[i]
    if all.ids[i] < 0 { p.first + iota(p.size) } else { -1 - all.ids[i] + zeros_int(p.size) }
  }
  let ids = behind(numbers, list(0..len(parts)))
  let together = for a in ids { real(ids == a) }
  seen_from(m, parts, frame, || multivariate_normal(loc, scale: root * together), "structured")
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
  let parts = layout(m)
  let d = width(parts)
  if d < 2 {
    refuse("a flow bends one real by another, and there is one only", hint: "use `full_rank(m)`")
  }
  let h = div(d, 2)
  state frame = framed((start)(m, parts))
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
  seen_from(m, parts, frame, || transformed(normal(zeros(d), 1.0), chain(append(maps, affine()))), "flow")
}

/// A guide that is known when it is made: the normal distribution around the mode with the curvature there.
fn laplace(m, start = newton()) = full_rank(m, start: start, scale: 1.0)

/// A guide with one value, and no spread: of the density of the model with respect to its reals it finds the mode.
fn delta(m, start = search()) {
  let parts = layout(m)
  state frame = framed((start)(m, parts))
  param loc = zeros(width(parts))
  fn draw() {
    let (t, slope) = trace_at(parts, out_of(frame, loc))
    (t, -slope)
  }
  generative(sample: draw, sites: sites(m), name: "delta")
}
