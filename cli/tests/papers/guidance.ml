// std.guidance. Covered by examples/papers/apg.ml and adaptive_guidance.ml: `cfg`, `apg` and `adaptive` step by step and against each
// other, `karras`, `sampled` and `frechet`.
precision f64

use std.guidance.{
  unguided, cfg, apg, projected, adaptive, cosine, karras, sampled, mixture_denoiser, frechet, covariance, root_of,
}

test "parts of a vector" {
  let (v, onto) = (randn([3]), randn([3]))
  let (along, across) = projected(v, onto)
  assert close(along + across, v, 1e-12) and close(dot(across, onto), 0.0, 1e-12)
  assert close(cosine(along, onto), sign(dot(v, onto)), 1e-9)
  assert close(projected(v, zeros(3))[0], zeros(3), 0.0)
  assert close(cosine([1.0, 0.0], [1.0, 1.0]), sqrt(0.5), 1e-12)
}

test "steps" {
  let (d, e) = ([1.0, 2.0], [0.5, 0.0])
  let (a, b) = (|x, sigma| d, |x, sigma| e)
  assert close(unguided(a).step(zeros(2), 1.0, 0.0)[0], d, 0.0) and unguided(a).step(zeros(2), 1.0, 0.0)[2] == 1
  assert close(cfg(a, b, 3.0).step(zeros(2), 1.0, 0.0)[0], d + 2.0 * (d - e), 1e-12)
  assert adaptive(a, b, 3.0, 1.0).step(zeros(2), 1.0, false)[2] == 2
  assert adaptive(a, b, 3.0, -1.0).step(zeros(2), 1.0, true)[2] == 1
  // The guidance has no part along the class's point.
  let (denoised, _, calls) = apg(a, b, 3.0).step(zeros(2), 1.0, zeros(2))
  assert close(dot(denoised - d, d), 0.0, 1e-12) and calls == 2
}

test "scales of noise" {
  let s = karras(5, high: 9.0, low: 0.1)
  assert len(s) == 6 and close(s[0], 9.0, 1e-9) and close(s[4], 0.1, 1e-9) and s[5] == 0.0
  assert all(diff(s) < 0.0)
}

test "the exact denoiser is sigma^2 times the score" {
  let means = for i in 0..3 { randn([2]) }
  let (x, s, sigma) = ([0.3, -0.2], 0.4, 0.7)
  let v = s * s + sigma * sigma
  let score = grad(logsumexp(for m in means { -0.5 * sqnorm(x - m) / v }), wrt: x)
  assert close(mixture_denoiser(means, s)(x, sigma), x + sigma^2 * score, 1e-12)
}

test "samples of one ball have its mean and variance" {
  let ball = mixture_denoiser([[1.0, -1.0]], 0.5)
  let sigmas = karras(60, high: 20.0)
  let r = for i in 0..2000 { sampled(unguided(ball), sigmas[0] * randn([2]), sigmas) }
  // Six standard errors, and the steps' error.
  assert close(mean(r.x, axis: 0), [1.0, -1.0], 0.1) and close(std(r.x, axis: 0), [0.5, 0.5], 0.06)
  assert all(r.calls == 60)
}

test "the distance of samples" {
  let x = for i in 0..50 { randn([2]) }
  let (c, root) = (covariance(x), root_of(covariance(x)))
  assert close(root @ root, c, 1e-10) and close(c, c.T, 1e-12)
  assert close(c[0, 0], var(x[.., 0]), 1e-12)
  assert close(frechet(x, x), 0.0, 1e-9)
  let away = for row in x { row + [3.0, 4.0] }
  assert close(frechet(x, away), 25.0, 1e-9)
  // Twice as wide: the trace of the covariance.
  let wide = for row in x { mean(x, axis: 0) + 2.0 * (row - mean(x, axis: 0)) }
  assert close(frechet(x, wide), c[0, 0] + c[1, 1], 1e-9)
}
