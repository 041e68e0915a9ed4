// From a vector of reals to a trace and back: what guides for any model are made of.

use std.supports.reals

/// The open sites of a model, each with its map from the reals `first` to `first + size` of a vector.
fn layout(m) = layout_of(sites(m))

/// The same for a list of some of what `sites(m)` gives.
fn layout_of(all) {
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
  let free = shape(lane_by_lane(map.free, zeros(s.shape), lanes))
  {at: s.at, map: map, lanes: lanes, free: free, first: first, size: size(zeros(free))}
}

/// `f` of the parts of `x` that lie behind its first `n` axes: the functions of a support go over plates lane by lane.
fn lane_by_lane(f, x, n) = if n == 0 { f(x) } else { for row in x { lane_by_lane(f, row, n - 1) } }

/// How many reals a layout has.
fn width(parts) {
  let last = parts[len(parts) - 1]
  last.first + last.size
}

/// The trace at a vector, and the logarithm of the determinant of the map there.
fn trace_at(parts, x) {
  let r = scan (t = {}, l = 0.0) for p in parts, unroll: true {
    let u = reshape(x[p.first..p.first + p.size], p.free)
    next t = merge(t, place(p.at, lane_by_lane(p.map.constrain, u, p.lanes)))
    next l = l + sum(lane_by_lane(p.map.log_jacobian, u, p.lanes))
  }
  (r.t, r.l)
}

/// The vector of a trace, and the same logarithm.
fn vector_of(parts, t) {
  let v = behind(|p| flatten(lane_by_lane(p.map.free, at(t, p.at), p.lanes)), parts)
  let (_, l) = trace_at(parts, v)
  (v, l)
}

/// The vectors that `f` gives of the items of a list, one behind the other.
fn behind(f, items, i = 0) =
  if i + 1 == len(items) { f(items[i]) } else { concat(f(items[i]), behind(f, items, i: i + 1)) }

/// The log density of the model as one of vectors.
fn height(m, parts, x) {
  let (t, l) = trace_at(parts, x)
  logdensity(m, t) + l
}

/// A model of the sites `keep` of `m` alone, the reals of which are standard normal. It takes no value that `m`
/// observes, so a guide made for it depends on no data: for some of a model's sites, and for parameters that were
/// trained elsewhere.
fn outline(m, keep = none) {
  let all = if provided(keep) { sites(m, only: keep) } else { sites(m) }
  let parts = layout_of(all)
  fn density(t) {
    let (x, slope) = vector_of(parts, t)
    -0.5 * sqnorm(x) - 0.5 * real(width(parts)) * log(2.0 * pi) - slope
  }
  fn draw() {
    let x = randn([width(parts)])
    let (t, slope) = trace_at(parts, x)
    (t, -0.5 * sqnorm(x) - 0.5 * real(width(parts)) * log(2.0 * pi) - slope)
  }
  generative(sample: draw, density: density, sites: all, name: "outline", exact: true)
}
