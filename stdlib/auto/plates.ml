// Guides for plates that are learned from the data of their lanes.

use std.dist.normal
use std.auto.{layout_of, width, trace_at, vector_of}

model _drawn(d) { y ~ d via reparam }

/// A guide of the sites `keep` of `m`, which stand in one plate: for each lane a normal distribution of that lane's
/// reals, mean and spread by `net` from that lane of `data`. `net(row)` gives twice as many numbers as a lane has
/// reals: means, and spreads before `softplus`. Where the plate is a sample of `of` lanes, so is the guide. Kept
/// nowhere, so it may be made for each batch.
fn amortised(m, keep, net, data, of = none) {
  let all = sites(m, only: keep)
  let n = len(data)
  let parts = layout_of(_in_lane(all, n))
  let times = if provided(of) { real(of) / real(n) } else { 1.0 }
  fn of_row(row) {
    let (mean, spread_of) = halves(net(row))
    if len(mean) != width(parts) {
      refuse("the net does not give two numbers for each real of a lane", hint: "its last size is twice their number")
    }
    normal(mean, softplus(spread_of))
  }
  fn draw() {
    let (t, l) = for row in data {
      let (drawn, l) = sample(_drawn(of_row(row)))
      let (t, slope) = trace_at(parts, drawn.y)
      (t, l - slope)
    }
    (t, times * sum(l))
  }
  fn density(t) = times * sum(for (row, u) in (data, t) {
    let (x, slope) = vector_of(parts, u)
    of_row(row).logpdf(x) - slope
  })
  generative(sample: draw, density: density, sites: all, name: "amortised", exact: true)
}

// The sites as one lane has them.
fn _in_lane(all, n) = scan (l = []) for s in all, unroll: true {
  if len(s.shape) == s.axes {
    refuse("this site stands in no plate", at: s.at, hint: "guide it by another one: `beside(global, amortised(..))`")
  }
  if s.shape[0] != n {
    refuse(
      "the plate of this site has not as many lanes as the data",
      at: s.at,
      hint: "give the data of the plate's lanes"
    )
  }
  next l = append(l, {..s, shape: _rest(s.shape)})
}

fn _rest(items) = scan (l = []) for i in 1..len(items), unroll: true { next l = append(l, items[i]) }

/// A guide of the sites of both `a` and `b`. `b` may be a function from a trace of `a` to a guide of the others; a guide
/// is independent of `a`.
fn beside(a, b) {
  let first = sites(a)
  let after = _after(b, sample(a)[0])
  let second = sites(after)
  let (of_a, of_b) = (_addresses(first), _addresses(second))
  fn draw() {
    let (t, l) = sample(a)
    let (u, k) = sample(_after(b, t))
    (merge(t, u), l + k)
  }
  fn density(t) {
    let u = only(t, of_a)
    logdensity(a, u) + logdensity(_after(b, u), only(t, of_b))
  }
  let all = scan (l = first) for s in second, unroll: true { next l = append(l, s) }
  let exact = exact_density(a) and exact_density(after)
  generative(sample: draw, density: density, sites: all, name: "beside", exact: exact)
}

fn _after(b, t) = if is_function(b) { b(t) } else { b }

fn _addresses(all) = scan (l = []) for s in all, unroll: true { next l = append(l, s.at) }
