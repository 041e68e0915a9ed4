// Guidance of diffusion samplers by classes. A denoiser is a function of a point and the noise's scale `sigma`: the mean of the clean
// point given the noisy one. With a denoiser of the class and one of everything, a guidance is a record {start, step}: `start(x)` is what
// it carries along a sampler's path, `step(x, sigma, s)` gives the denoised point to go by, what to carry on, and how often it asked a
// denoiser. All is for one point; points come from `for`.

use std.linalg.{diag, trace}

/// Only the denoiser of the class.
fn unguided(of_class) = {start: |x| 0.0, step: |x, sigma, s| (of_class(x, sigma), s, 1)}

/// Classifier-free guidance (Ho and Salimans 2022): the class's denoised point and `w - 1` times its difference to that of all; 1 is
/// no guidance.
fn cfg(of_class, of_all, w) {
  fn step(x, sigma, s) {
    let d = of_class(x, sigma)
    (d + (w - 1.0) * (d - of_all(x, sigma)), s, 2)
  }
  {start: |x| 0.0, step: step}
}

/// Adaptive projected guidance (Sadat, Hilliges and Weber 2024, algorithm 1): of the difference of `cfg` a running sum is taken, in which
/// the past counts `beta` times (below 0: against it), its length is cut to `r`, and of its part along the class's denoised point a share
/// `eta` stays. With `eta` 1, `beta` 0 and `r` inf it is `cfg`.
fn apg(of_class, of_all, w, eta = 0.0, r = 2.5, beta = -0.5) {
  fn step(x, sigma, past) {
    let d = of_class(x, sigma)
    let sum = d - of_all(x, sigma) + beta * past
    let (along, across) = projected(sum * min(1.0, r / max(norm(sum), 1e-12)), d)
    (d + (w - 1.0) * (across + eta * along), sum, 2)
  }
  {start: |x| zeros_like(x), step: step}
}

/// The parts of a vector along another one and across it.
fn projected(v: real[n], onto: real[n]) {
  let along = dot(v, onto) / max(sqnorm(onto), 1e-24) * onto
  (along, v - along)
}

/// Adaptive guidance (Castillo et al. 2023): `cfg` up to and with the first step at which the noises that the two denoisers see have a
/// cosine above `limit`, from then on only the class's denoiser, which halves what a step costs.
fn adaptive(of_class, of_all, w, limit) {
  fn step(x, sigma, agreed) {
    let d = of_class(x, sigma)
    let e = of_all(x, sigma)
    let now = agreed or cosine(x - d, x - e) > limit
    let denoised = if agreed { d } else { d + (w - 1.0) * (d - e) }
    (denoised, now, if agreed { 1 } else { 2 })
  }
  {start: |x| false, step: step}
}

/// The cosine of the angle between two vectors.
fn cosine(a: real[n], b: real[n]) = dot(a, b) / (norm(a) * norm(b))

/// `n` scales of noise from `high` down to `low`, evenly spaced in their 1/rho-th power, and 0 (Karras et al. 2022, equation 5).
fn karras(n, high = 80.0, low = 0.002, rho = 7.0) = concat(linspace(high^(1.0 / rho), low^(1.0 / rho), n)^rho, [0.0])

/// From noise `x` of the scale sigmas[0] to a sample by Euler steps along dx / dsigma = (x - denoised) / sigma (Karras et al. 2022): {x,
/// calls}, where `calls` counts the denoisers asked.
fn sampled(guide, x: real[d], sigmas: real[n]) {
  let end = scan (x = x, s = guide.start(x), calls = 0) for (high, low) in (sigmas[..-1], sigmas[1..]) {
    let (denoised, after, asked) = guide.step(x, high, s)
    next x = x + (low - high) / high * (x - denoised)
    next s = after
    next calls = calls + asked
  }
  {x: end.x, calls: end.calls}
}

/// The exact denoiser of a mixture of normals of one scale `s` around `means`, all of one weight.
fn mixture_denoiser(means: real[k, d], s) {
  fn denoise(x, sigma) {
    let v = s * s + sigma * sigma
    let m = softmax(for m in means { -0.5 * sqnorm(x - m) / v }) @ means
    m + s * s / v * (x - m)
  }
  denoise
}

/// The squared Fréchet distance between the normal distributions that have the means and covariances of two samples, rows:
/// |m - n|^2 + tr(A + B - 2 (A^(1/2) B A^(1/2))^(1/2)) (Dowson and Landau 1982).
fn frechet(x: real[n, d], y: real[m, d]) {
  let (mx, my) = (mean(x, axis: 0), mean(y, axis: 0))
  let (a, b) = (covariance(x), covariance(y))
  let root = root_of(a)
  let values = max(eigh(root @ b @ root)[0], 0.0)
  sqnorm(mx - my) + trace(a) + trace(b) - 2.0 * sum(sqrt(values))
}

/// The covariance of rows.
fn covariance(x: real[n, d]) {
  let c = x - spread(mean(x, axis: 0), like: x, axis: 0)
  c.T @ c / real(n)
}

/// The root of a matrix that is symmetric and not negative.
fn root_of(a: real[d, d]) {
  let (values, vectors) = eigh(a)
  vectors @ diag(sqrt(max(values, 0.0))) @ vectors.T
}
