// Annealed importance sampling as a guide.

use std.auto.{layout, width, trace_at, vector_of}

/// A guide that moves draws of the guide `q` toward the model by `steps` steps of Langevin dynamics, each on a density
/// between the two, q^(1 - b) p^b with b going up to 1. Steps are not corrected: the way back is scored by steps of the
/// same kind, so what it gives is the weight of a trace with its whole way, and the bound with it is one for any `rate`
/// (Neal 2001; with Langevin steps that have derivatives Thin et al. 2021 and Geffner and Domke 2021). `q` keeps its
/// own parameters, and has a density that is exact; parameters here are `rates`, the steps' sizes by direction, and
/// `gains`, how b grows.
fn annealed(m, q, steps = 4, rate = 0.05) {
  if steps < 1 {
    refuse("`annealed` needs a step", hint: "`steps` is at least 1")
  }
  needs_exact(q, hint: "begin at a guide whose density is exact, such as `auto.mean_field(m)`")
  let parts = layout(m)
  let d = width(parts)
  param rates in positive = rate * ones(d)
  param gains in positive = ones(steps)

  // Both log densities as those of vectors, and where they go up.
  fn slopes(x) {
    let (t, slope) = trace_at(parts, x)
    let (lp, lq) = (logdensity(m, t) + slope, logdensity(q, t) + slope)
    (grad(lp, wrt: x), grad(lq, wrt: x), lq)
  }
  // Where a step from x goes but for its noise. No way is longer than 1 in any direction, so that none runs away where
  // the density falls fast (tamed steps: Brosse et al. 2019); any mean will do as long as both ways have it.
  fn ahead(x, b, gp, gq) {
    let move = rates * (b * gp + (1.0 - b) * gq)
    x + move / sqrt(1.0 + square(move))
  }
  fn log_step(to, mean) = -0.25 * sum(square(to - mean) / rates) - 0.5 * sum(log(4.0 * pi * rates))
  // Along temperatures from x: where it ends, and log p(steps) - log p(steps back).
  fn along(bs, x) {
    let (gp, gq, lq) = slopes(x)
    scan (x = x, gp = gp, gq = gq, lq = lq, w = 0.0) for b in bs {
      let mean = ahead(x, b, gp, gq)
      let to = mean + sqrt(2.0 * rates) * randn([d])
      let (hp, hq, l) = slopes(to)
      next x = to
      next gp = hp
      next gq = hq
      next lq = l
      next w = w + log_step(to, mean) - log_step(x, ahead(to, b, hp, hq))
    }
  }
  fn temperatures() = cumsum(gains) / sum(gains)

  fn draw() {
    let (t, lq) = sample(q)
    let (x, slope) = vector_of(parts, t)
    let end = along(temperatures(), x)
    let (moved, new_slope) = trace_at(parts, end.x)
    (moved, lq + slope + end.w - new_slope)
  }
  fn density(t) {
    let (x, slope) = vector_of(parts, t)
    let end = along(flip(temperatures()), x)
    end.lq - end.w - slope
  }
  generative(sample: draw, density: density, sites: sites(m), name: "annealed")
}
