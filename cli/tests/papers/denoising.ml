// std.denoising. Covered by examples/papers/noise2score.ml: `natural_mean`, `clean_normal` and `clean_gamma` by the exact posterior of a
// mixture, `clean_poisson` by that within its error.
precision f64

use std.denoising.{score_loss, natural_mean, clean_normal, clean_poisson, clean_gamma, psnr, total_variation}

fn off(a, size) {
  let l = for i in 0..40000 { score_loss(|x| -a * x, sqrt(2.0) * randn([1]), size) }
  (mean(l) - (1.0 - 2.0 * a * size^2 + (a * size)^2 * (2.0 + size^2))) / (std(l) / 200.0)
}

test "the loss of a score" {
  // Of normal points of variance v = 2 its mean at the score -a x is 1 - 2 a size^2 + (a size)^2 (v + size^2), least at 1 / (v + size^2).
  let size = 0.5
  // In standard errors: wrong with a probability below 1e-8.
  assert max(for a in [0.1, 1.0 / 2.25, 1.0] { abs(off(a, size)) }) < 6.0
  // A score of 0 leaves the noise's mean square.
  assert abs(mean(for i in 0..20000 { score_loss(|x| 0.0 * x, ones(3), 0.1) }) - 3.0) < 6.0 * sqrt(6.0 / 20000.0)
}

test "one value behind all" {
  // The score of what is known for sure gives it back.
  assert close(clean_normal(1.3, (0.4 - 1.3) / 0.25, 0.5), 0.4, 1e-12)
  assert close(clean_gamma(1.3, (5.0 - 1.0) / 1.3 - 5.0 / 0.4, 5.0), 0.4, 1e-12)
  assert close(clean_poisson(2.0, log(0.7 / 2.05) / 0.1, 0.1), 0.7, 1e-12)
  // By the natural parameter x / sigma^2 of a normal y.
  assert close(natural_mean(1.3, (0.4 - 1.3) / 0.25, |y| -0.5 * square(y) / 0.25), 0.4 / 0.25, 1e-12)
}

test "measures of pictures" {
  assert close(psnr(full(0.6, 4), full(0.5, 4)), 20.0, 1e-9)
  assert close(psnr(full(1.2, 4), ones(4), peak: 2.0), 20.0, 1e-9)
  assert close(total_variation([[0.0, 1.0], [2.0, 5.0]]), 2.0 + 4.0 + 1.0 + 3.0, 1e-12)
  assert total_variation(full(0.3, 4, 5)) == 0.0
}
