// Paper: Castillo et al., "Adaptive Guidance: Training-free Acceleration of Conditional Diffusion Models" (2023).
// Claim: The noises that the two denoisers of guidance see soon agree; without guidance from there on, points come out the same for less.
// Shown: With exact denoisers of six mixtures, one of which chooses the limit: the chosen 0.99998 or 0.99999 asks denoisers 56 to 61
//   times instead of 80, and points end within 0.2 % of those of full guidance; full guidance in 32 steps (64 times) ends 0.7 to 0.9 % off.
// Not shown: The paper's limit of about 0.99, which is of its models: here the cosine is above it from the start, and points end 8 to 31
//   % off. Nor the replacement of the second denoiser by a regression, nor the search for policies.
// Takes: Some seconds.
// Vary: `--seed` for other mixtures, `--set apart=0.7` for modes that lie farther apart.

precision f64

use std.guidance.{unguided, cfg, adaptive, sampled, karras, mixture_denoiser, cosine}

let small = false
let d = 32
let classes = 4
let modes = 3
// The first one chooses the limit.
let mixtures = 6
let n = if small { 40 } else { 200 }
let steps = 40
let spread_of = 0.6
let apart = 0.5
let weights = [2.0, 5.0, 10.0]
let limits = [0.99, 0.999, 0.9999, 0.99995, 0.99998, 0.99999]
let fewer = [20, 24, 28, 32, 36]

/// Means of a mixture: each class has a middle, and its modes around it.
fn mixture() = for c in 0..classes {
  let middle = randn([d])
  for m in 0..modes { middle + apart * randn([d]) }
}

let worlds = for i in 0..mixtures { mixture() }
let noise = for i in 0..n { 80.0 * randn([d]) }

fn of_class(means) = mixture_denoiser(means[0], spread_of)
fn of_all(means) = mixture_denoiser(reshape(means, classes * modes, d), spread_of)

/// Points of the first class of each mixture by a guidance, and how often denoisers were asked: axes of mixtures and points.
fn drawn(guide, sigmas) = for means in worlds, z in noise { sampled(guide(of_class(means), of_all(means)), z, sigmas) }

/// The mean distance of points to those of plain guidance, relative to the length of these, for each mixture.
fn distance(x, plain) = for (a, b) in (x, plain) { mean(for (p, q) in (a, b) { norm(p - q) / norm(q) }) }

/// The cosine of the two noises at each step of guided points of a mixture, the mean over points.
fn agreement(means, w) {
  let (c, a) = (of_class(means), of_all(means))
  let sigmas = karras(steps)
  let paths = for z in noise {
    let (_, cosines) = scan (x = z) for (high, low) in (sigmas[..-1], sigmas[1..]) {
      let (denoised, _, _) = cfg(c, a, w).step(x, high, 0.0)
      next x = x + (low - high) / high * (x - denoised)
      yield cosine(x - c(x, high), x - a(x, high))
    }
    cosines
  }
  mean(paths, axis: 0)
}

/// Limits go along the first axis, mixtures along the second.
stage at(w) = compute {
  let plain = drawn(|c, a| cfg(c, a, w), karras(steps)).x
  let r = for l in limits { drawn(|c, a| adaptive(c, a, w, l), karras(steps)) }
  log calls = for k in r.calls { mean(real(k), axis: 1) }
  log distance = for x in r.x { distance(x, plain) }
  log shortened = for m in list(fewer) { distance(drawn(|c, a| cfg(c, a, w), karras(m)).x, plain) }
  log agreement = agreement(worlds[0], w)
}

/// Of the limits the lowest by which points of the first mixture end within 0.2 % of those of full guidance.
fn chosen(w) = argmax(real(at(w).log.distance[0][.., 0] < 0.002))

/// What the chosen limit comes to in the other mixtures.
fn calls(w) = at(w).log.calls[0][chosen(w)][1..]
fn ends(w) = at(w).log.distance[0][chosen(w)][1..]

stage show = report {
  plot {two: at(2.0).log.agreement[0], five: at(5.0).log.agreement[0], ten: at(10.0).log.agreement[0]},
    title: "cosine of the two noises at each step, for the weights 2, 5 and 10"
  text "The limit that the first mixture chooses at weight 5, what it costs in the others, and how far off their points end."
  table {calls: calls(5.0), distance: ends(5.0)}, title: "adaptive guidance at weight 5"
  table {
    calls: 2.0 * real(fewer),
    distance: mean(at(5.0).log.shortened[0], axis: 1),
  }, title: "full guidance in fewer steps at weight 5"
  table {limit: limits, calls: mean(at(5.0).log.calls[0], axis: 1), distance: mean(at(5.0).log.distance[0], axis: 1)},
    title: "all limits at weight 5"
}

test "a limit that is never reached is full guidance, one that always is guides the first step" {
  let (means, z, sigmas) = (worlds[0], noise[0], karras(10))
  let (c, a) = (of_class(means), of_all(means))
  let never = sampled(adaptive(c, a, 5.0, 2.0), z, sigmas)
  assert close(never.x, sampled(cfg(c, a, 5.0), z, sigmas).x, 0.0) and never.calls == 20
  let once = sampled(adaptive(c, a, 5.0, -2.0), z, sigmas)
  assert once.calls == 11
  let first = z + (sigmas[1] / sigmas[0] - 1.0) * (z - cfg(c, a, 5.0).step(z, sigmas[0], 0.0)[0])
  assert close(once.x, sampled(unguided(c), first, sigmas[1..]).x, 1e-12)
}

test "a quarter fewer calls, and points end where they did" {
  assert all(for w in list(weights) { all(calls(w) < 0.78 * 80.0) })
  assert all(for w in list(weights) { all(ends(w) < 0.01) })
}

test "fewer steps for as many calls end farther off" {
  assert all(for w in list(weights) { all(calls(w) < 64.0) })
  assert all(for w in list(weights) { all(ends(w) < 0.5 * at(w).log.shortened[0][3][1..]) })
}

test "the noises agree in the end" {
  assert min(at(5.0).log.agreement[0][20..]) > 0.99999
  assert min(at(5.0).log.agreement[0][..10]) < 0.9999
}

test "the paper's limit is too low here" { assert all(at(5.0).log.distance[0][0] > 0.05) }
