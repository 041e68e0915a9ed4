// Models made of models: some sites left out, or the trace drawn anew in proportion to a density. Where an exact density is not to
// be had it is estimated: what `sample` gives is a weight w with exp(-w) unbiased for the reciprocal of the density of its
// trace, what `logdensity` gives one with exp(w) unbiased for the density (Becker et al. 2024; Lew, Cusumano-Towner and
// Mansinghka 2022). So bounds made of them are bounds, and the models can be nested.

use std.dist.{categorical}

/// The model with the sites `keep` only. The others, its auxiliaries, are averaged over `with` a strategy: `importance(r, n)`,
/// `smc(..)`, `enumeration()`, `quadrature(n)`; or, with `sum: .s` in place of both, summed over exactly by the compiler.
fn marginal(m, keep = none, sum = none, with = none) {
  if provided(sum) {
    if provided(keep) or provided(with) {
      refuse("`marginal` is given `sum:` and more", hint: "with `sum:` all other sites are kept")
    }
    _summed(m, sum)
  } else {
    if not provided(keep) or not provided(with) {
      refuse("`marginal` needs `keep:` and `with:`, or `sum:`", hint: "write `keep: [.x], with: importance(r, n: 8)`")
    }
    if len(keep) == 0 {
      refuse("`marginal` keeps nothing", hint: "name what the trace should have: `keep: [.x]`")
    }
    (with).marginal(m, keep)
  }
}

/// The model that draws `m`'s trace in proportion to `m`'s density, `with` a strategy: `sir(q, n)`, `smc(..)`, `enumeration()`,
/// `quadrature(n)`.
fn normalize(m, with) = (with).normalize(m)

/// log of the integral of `m`'s density over its open sites, exact: `with` is `enumeration()` or `quadrature(n)`.
fn log_evidence(m, with) = (with).log_evidence(m)

fn _summed(m, sum) {
  fn density(t) = logdensity(m, t, sum: sum)
  fn draw() {
    let (t, _) = sample(m)
    let kept = without(t, sum)
    (kept, density(kept))
  }
  let exact = exact_density(m)
  generative(sample: draw, density: density, sites: sites(m, without: sum), name: "marginal", exact: exact)
}

/// For `marginal`: importance sampling of the auxiliaries with `n` particles from `r`, a function from the kept part of the trace to
/// a model of the rest. Particles count by m(t, u) / r(u; t); in `sample` the auxiliary that was drawn is one of them.
fn importance(r, n = 1) {
  if n < 1 {
    refuse("`importance` needs a particle", hint: "n is at least 1")
  }
  fn of(m, keep) {
    fn particles(t, n) = for i in 0..n {
      let (u, lr) = sample(r(t))
      logdensity(m, merge(t, u)) - lr
    }
    fn draw() {
      let (all, lm) = sample(m)
      let t = only(all, keep)
      let first = lm - logdensity(r(t), without(all, keep))
      (t, if n == 1 { first } else { logmeanexp(concat([first], particles(t, n - 1))) })
    }
    fn density(t) = logmeanexp(particles(t, n))
    generative(sample: draw, density: density, sites: sites(m, only: keep), name: "marginal")
  }
  {
    marginal: of,
    normalize: |_| refuse("`importance` draws auxiliaries, not traces", hint: "normalize with `sir(q, n)`"),
    log_evidence: |_| _not_exact(),
  }
}

/// For `normalize`: of `n` traces drawn from `q` one is taken, with a probability proportional to its importance weight (Rubin
/// 1987). The density is that of what is taken, not of the limit.
fn sir(q, n = 1) {
  if n < 1 {
    refuse("`sir` needs a particle", hint: "n is at least 1")
  }
  fn of(m) {
    fn particle() {
      let (t, lq) = sample(q)
      let lm = logdensity(m, t)
      (t, lm, lm - lq)
    }
    fn draw() {
      let (ts, lms, ws) = for i in 0..n { particle() }
      let i = _pick(ws)
      (map(|x| x[i], ts), lms[i] - logmeanexp(ws))
    }
    fn density(t) {
      let lm = logdensity(m, t)
      let first = lm - logdensity(q, t)
      lm - if n == 1 {
        first
      } else {
        let others = for i in 0..n - 1 {
          let (_, _, w) = particle()
          w
        }
        logmeanexp(concat([first], others))
      }
    }
    generative(sample: draw, density: density, sites: sites(m), name: "normalize")
  }
  {
    marginal: |_, _| refuse("`sir` draws traces, not auxiliaries", hint: "leave sites out with `importance(r, n)`"),
    normalize: of,
    log_evidence: |_| _not_exact(),
  }
}

fn _not_exact() =
  refuse("the logarithm of an estimate is no estimate of the logarithm", hint: "use `enumeration()` or `quadrature(n)`")

model _index(logits) { i ~ categorical(logits: logits) }

/// An index with probability proportional to exp(w), as a site: derivatives pass by its estimator.
fn _pick(w) {
  let (t, _) = sample(_index(w))
  int(t.i)
}

/// Sequential Monte Carlo over a chain of `steps` auxiliaries with `n` particles, resampled before each step (Gordon, Salmond and
/// Smith 1993; in `sample` and for a given trace one particle is kept throughout: Andrieu, Doucet and Holenstein 2010).
/// `propose(t, last, i)` is a model of the i-th element of the chain, given what is kept and the element before (`{}` at first);
/// `potential(t, last, now, i)` is the log weight that guides the particles there. Any potentials are right: at the end particles
/// count by the density of the whole chain, whose sites have the names of `propose`'s, with an axis of steps.
fn smc(steps, propose, potential, n = 8) {
  if n < 2 or steps < 1 {
    refuse("`smc` needs two particles and a step", hint: "`n` is at least 2, `steps` at least 1")
  }
  /// All particles' paths, log densities, weights at the end, and the estimate. The first goes along `fixed`, if that is provided.
  fn run(m, t, fixed) {
    let guided = provided(fixed)
    let end = scan (s = {path: {}, done: zeros(n), w: zeros(n), total: 0.0}) for i in 0..steps, unroll: true {
      let moved = if i == 0 {
        s
      } else {
        let a = for k in 0..n { _pick(s.w) }
        let parents = if guided { concat([0], a[1..]) } else { a }
        {
          path: map(|x| x[parents], s.path),
          done: s.done[parents],
          w: zeros(n),
          total: s.total + logmeanexp(s.w),
        }
      }
      fn step(last, now, lr) {
        let g = potential(t, last, now, i)
        (now, g, g - lr)
      }
      fn free(last) {
        let (now, lr) = sample(propose(t, last, i))
        step(last, now, lr)
      }
      fn held(last) {
        let now = map(|x| x[i], fixed)
        step(last, now, logdensity(propose(t, last, i), now))
      }
      let (now, g, w) = if i == 0 {
        if guided {
          let (x, g, w) = held({})
          let (xs, gs, ws) = for k in 0..n - 1 { free({}) }
          (_joined(x, xs), concat([g], gs), concat([w], ws))
        } else {
          for k in 0..n { free({}) }
        }
      } else {
        let last = map(|x| x[.., i - 1], moved.path)
        if guided {
          let (x, g, w) = held(map(|x| x[0], last))
          let (xs, gs, ws) = for l in map(|x| x[1..], last) { free(l) }
          (_joined(x, xs), concat([g], gs), concat([w], ws))
        } else {
          for l in last { free(l) }
        }
      }
      let new = map(|x| insert_axis(x, 1), now)
      next s = {
        path: if i == 0 { new } else { _appended(moved.path, new) },
        done: moved.done + g,
        w: w,
        total: moved.total,
      }
    }
    let lm = for path in end.path { logdensity(m, merge(t, path)) }
    let w = end.w + lm - end.done
    (end.path, lm, w, end.total + logmeanexp(w))
  }
  fn without_chain(m, keep) {
    fn draw() {
      let (all, lm) = sample(m)
      let t = only(all, keep)
      let (_, _, _, total) = run(m, t, without(all, keep))
      (t, total)
    }
    fn density(t) {
      let (_, _, _, total) = run(m, t, none)
      total
    }
    generative(sample: draw, density: density, sites: sites(m, only: keep), name: "marginal")
  }
  fn of_chain(m) {
    fn draw() {
      let (paths, lm, w, total) = run(m, {}, none)
      let i = _pick(w)
      (map(|x| x[i], paths), lm[i] - total)
    }
    fn density(t) {
      let (_, lm, _, total) = run(m, {}, t)
      lm[0] - total
    }
    generative(sample: draw, density: density, sites: sites(m), name: "normalize")
  }
  {marginal: without_chain, normalize: of_chain, log_evidence: |_| _not_exact()}
}

/// One value before many, field by field.
fn _joined(x, xs) = map(|a, b| concat(insert_axis(a, 0), b), x, xs)

/// Paths with one more step, field by field.
fn _appended(path, new) = map(|a, b| concat(a, b, axis: 1), path, new)

/// A strategy that goes over a grid of the auxiliaries: `grid(sites)` is a list with an entry `{at, points, log_weights}` for each.
fn _on_grid(grid) {
  fn total(m, t, g) = logsumexp(for i in 0.._size(g) {
    let (u, w) = _point(g, i)
    logdensity(m, merge(t, u)) + w
  })
  fn averaged(m, keep) {
    let g = grid(sites(m, without: keep))
    fn density(t) = total(m, t, g)
    fn draw() {
      let (all, _) = sample(m)
      let t = only(all, keep)
      (t, density(t))
    }
    let exact = exact_density(m)
    generative(sample: draw, density: density, sites: sites(m, only: keep), name: "marginal", exact: exact)
  }
  fn log_evidence(m) {
    needs_exact(m, hint: "the logarithm of a sum of estimates is none; bound it: `iwelbo(m, q, n)`")
    total(m, {}, grid(sites(m)))
  }
  {marginal: averaged, log_evidence: log_evidence}
}

let _resampled = "one over an estimate of the evidence is no estimate; draw from it with `sir(q, n)`, which takes estimates"

/// How many points a grid has.
fn _size(grid, k = 0) = if k == len(grid) { 1 } else { len(grid[k].points) * _size(grid, k: k + 1) }

/// The i-th point of a grid as a trace, and its log weight.
fn _point(grid, i, k = 0) {
  if k == len(grid) {
    ({}, 0.0)
  } else {
    let g = grid[k]
    let n = len(g.points)
    let j = mod(i, n)
    let (rest, w) = _point(grid, div(i, n), k: k + 1)
    (merge(place(g.at, g.points[j]), rest), w + g.log_weights[j])
  }
}

/// For `marginal` and `normalize`: all combinations of the values of finite sites.
fn enumeration() {
  fn axis(s) {
    if not provided(s.values) {
      refuse("a site's values are not listed", hint: "`enumeration()` is for sites of finite distributions outside plates")
    }
    let points = s.values + zeros(len(s.values))
    {at: s.at, points: points, log_weights: zeros_like(points)}
  }
  fn grid(all) = _each(axis, all, len(all))
  let strategy = _on_grid(grid)
  fn normalize(m) {
    needs_exact(m, hint: _resampled)
    let g = grid(sites(m))
    fn weights() = for i in 0.._size(g) {
      let (t, _) = _point(g, i)
      logdensity(m, t)
    }
    fn draw() {
      let ws = weights()
      let i = _pick(ws)
      let (t, _) = _point(g, i)
      (t, ws[i] - logsumexp(ws))
    }
    fn density(t) = logdensity(m, t) - logsumexp(weights())
    generative(sample: draw, density: density, sites: sites(m), name: "normalize", exact: true)
  }
  {..strategy, normalize: normalize}
}

let _nodes = [
  -0.9602898564975363,
  -0.7966664774136267,
  -0.5255324099163290,
  -0.1834346424956498,
  0.1834346424956498,
  0.5255324099163290,
  0.7966664774136267,
  0.9602898564975363,
]
let _node_weights = [
  0.1012285362903763,
  0.2223810344533745,
  0.3137066458778873,
  0.3626837833783620,
  0.3626837833783620,
  0.3137066458778873,
  0.2223810344533745,
  0.1012285362903763,
]

/// For `marginal`, `normalize` and `log_evidence`: integrals over single real sites by the Gauss-Legendre rule of eight points (NIST
/// Digital Library, table 3.5.2) on each of `n` equal parts of an interval: the site's support, or from `low` to `high`. Of several
/// sites all combinations are taken, so their number is (8 n)^k. A model normalized so can be scored, not drawn from.
fn quadrature(n, low = none, high = none) {
  fn axis(s) {
    if len(s.shape) > 0 {
      refuse("quadrature is for sites with one value each", hint: "use `importance` for the others")
    }
    if provided(s.values) {
      refuse("quadrature is for continuous sites", hint: "use `enumeration()`")
    }
    let a = if provided(low) { low } else { s.low }
    let b = if provided(high) { high } else { s.high }
    if not provided(a) or not provided(b) {
      refuse("a site has no bounds", hint: "say where its mass lies: `quadrature(n, low: -10.0, high: 10.0)`")
    }
    let h = (b - a) / real(n)
    let points = flatten(for i in 0..n, x in _nodes { a + h * (real(i) + 0.5 + 0.5 * x) })
    let weights = flatten(for i in 0..n, w in _node_weights { log(0.5 * h * w) })
    {at: s.at, points: points, log_weights: weights}
  }
  fn grid(all) = _each(axis, all, len(all))
  let strategy = _on_grid(grid)
  fn normalize(m) {
    needs_exact(m, hint: _resampled)
    fn density(t) = logdensity(m, t) - strategy.log_evidence(m)
    generative(density: density, sites: sites(m), name: "normalize", exact: true)
  }
  {..strategy, normalize: normalize}
}

/// The list of `f` of each of a list's first `k` items.
fn _each(f, items, k) = if k == 0 { [] } else { append(_each(f, items, k - 1), f(items[k - 1])) }

/// The distribution `d`, whose density counts only where `seen` is true: a site in a plate of which some lanes are missing.
dist masked(d, seen) on d.on {
  logpdf(x) {
    if rank(seen) > 0 {
      refuse("`masked` takes one truth value", hint: "go over the lanes: `for s in seen { y ~ masked(d, s) }`")
    }
    if seen { d.logpdf(x) } else { 0.0 }
  }
  sample() = d.sample()
}
