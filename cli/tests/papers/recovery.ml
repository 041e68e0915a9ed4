// std.recovery. Covered by examples/papers/cdrl.ml: that `recovered_by` draws from the density it says, `energy_contrast` recovers a
// variance, and `ladder` keeps variances.
precision f64

use std.recovery.{ladder, recovery_density, recovered_by, energy_contrast, climbed}

let rungs = ladder(5, low: 0.2, high: 0.8)

test "a ladder" {
  assert close(square(rungs.shrink) + square(rungs.sigma), ones(5), 1e-12)
  assert close(rungs.sigma[0], 0.2, 1e-12) and close(rungs.sigma[4], 0.8, 1e-12)
  assert close(rungs.sigma[1..] / rungs.sigma[..-1], full(sqrt(2.0), 4), 1e-12)
  assert len(ladder(1).sigma) == 1
}

fn energy(y, k) = -0.5 * real(k + 1) * sqnorm(y)

test "the density of what is recovered" {
  let (y, x) = ([0.3, -1.0], [0.5, 0.5])
  assert close(recovery_density(energy, y, x, 2, 0.5), -1.5 * sqnorm(y) - 2.0 * sqnorm(y - x), 1e-12)
}

test "walks" {
  let y = [0.3, -1.0]
  assert close(recovered_by(energy, y, zeros(2), 0, 0.5, 0, 0.3), y, 0.0)
  // A step of size s keeps y + s^2 / 2 grad in the mean: six standard errors.
  let s = 0.15
  let d = for i in 0..20000 { recovered_by(energy, y, zeros(2), 0, 0.5, 1, 0.3) }
  assert close(mean(d, axis: 0), y - 0.5 * s^2 * 5.0 * y, 6.0 * s / sqrt(20000.0))
  assert close(std(d, axis: 0), [s, s], 0.006)
}

test "the contrast" {
  let a = 1.0
  fn f(y, k) = -0.5 * a * sqnorm(y)
  assert close(grad(energy_contrast(f, [1.0, 2.0], [0.0, 1.0], 0), wrt: a), 0.5 * (5.0 - 1.0), 1e-12)
}

test "climbing by an exact energy keeps a normal distribution" {
  // Of standard normal points what is to be recovered has the variance shrink^2, and its mean is shrink^2 x.
  // Six standard errors, and what steps of a size make the variance larger.
  let x = for i in 0..20000 {
    climbed(|y, k| -0.5 * sqnorm(y) / rungs.shrink[k]^2, |x, k| rungs.shrink[k]^2 * x, rungs, randn([1]), 100, 0.2, 0.5)[0]
  }
  assert abs(mean(x)) < 0.045 and close(var(x), 1.0, 0.1)
}
