// std.spectra. Covered by examples/papers/lr_batch_rmt.ml: `lanczos` and `spectral_mean` by all eigenvalues, and what noise does to the
// largest, as `shifted_eigenvalue` says.
precision f64

use std.spectra.{lanczos, largest_eigenvalue, spectral_mean, shifted_eigenvalue, stable_rate}

let values = [-2.0, 0.5, 1.0, 3.0, 7.0]

fn scaled(v) = values * v

test "all directions give all eigenvalues" {
  let l = lanczos(scaled, randn([5]), 5)
  assert close(l.values, values, 1e-8) and close(sum(l.weights), 1.0, 1e-12)
  // The quadrature is exact for polynomials.
  let start = [1.0, 2.0, 0.5, 0.0, 1.0]
  let q = lanczos(scaled, start, 3)
  let moment = |k| sum(square(start) * values^k) / sqnorm(start)
  assert close(dot(q.weights, q.values), moment(1), 1e-8) and close(dot(q.weights, q.values^5), moment(5), 1e-6)
}

test "a start that is an eigenvector has nowhere to go" {
  let l = lanczos(scaled, [0.0, 0.0, 0.0, 2.0, 0.0], 3)
  assert close(l.values, full(3.0, 3), 1e-12) and close(dot(l.weights, l.values), 3.0, 1e-12)
}

test "the largest, and means" {
  assert close(largest_eigenvalue(scaled, zeros(5), k: 5), 7.0, 1e-8)
  // A constant has no noise.
  assert close(spectral_mean(scaled, |x| 1.0 + 0.0 * x, 5, k: 3), 1.0, 1e-12)
  let w = [1.0, 2.0]
  assert close(largest_eigenvalue(|v| hvp(3.0 * w[0]^2 + w[1]^2, wrt: w, along: v), w, k: 2), 6.0, 1e-8)
}

test "noise" {
  // Without it the value stays; below the transition it is the edge, where both meet.
  assert close(shifted_eigenvalue(2.0, 100.0, 0.0), 2.0, 1e-12)
  assert close(shifted_eigenvalue(2.0, 100.0, 0.01), 2.5, 1e-12)
  assert close(shifted_eigenvalue(0.1, 100.0, 0.01), 2.0, 1e-12) and close(shifted_eigenvalue(1.0, 100.0, 0.01), 2.0, 1e-12)
}

test "rates" {
  assert close(stable_rate(1.0, 8.0), 0.2, 1e-12) and stable_rate(1e9, 8.0) > 1.9999
  // Of one weight: E (1 - rate x^2)^2 = 1 at 2 / 3.
  let rate = stable_rate(1.0, 1.0)
  assert close(1.0 - 2.0 * rate + 3.0 * rate^2, 1.0, 1e-12)
}
