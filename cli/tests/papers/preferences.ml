// std.preferences. Covered by examples/papers/grad_entanglement.ml: that steps of DPO do what `entanglement` says, and those of
// `disentangled` raise one and lower the other.
precision f64

use std.preferences.{dpo, ipo, simpo, slic, entanglement, disentangled}
use std.testing.gradients_match

test "losses of the margin" {
  assert close(dpo(0.0), log(2.0), 1e-12) and dpo(10.0) < dpo(1.0)
  let m = 0.7
  assert close(grad(dpo(m, beta: 0.3), wrt: m), -0.3 * sigmoid(-0.3 * m), 1e-12)
  assert ipo(5.0, beta: 0.1) == 0.0 and close(ipo(0.0, beta: 0.5), 1.0, 1e-12)
  assert slic(0.25) == 0.75 and slic(2.0) == 0.0
  assert close(simpo(-4.0, -9.0, 2.0, 3.0, beta: 2.0, gamma: 0.5), softplus(0.5 - 2.0 * (-2.0 + 3.0)), 1e-12)
  assert gradients_match(|v| dpo(v[0]) + ipo(v[0]) + simpo(v[0], v[1], 3.0, 4.0) + slic(v[1]), at: [0.3, -0.4])
}

test "what a step does" {
  let (w, l) = (randn([5]), randn([5]))
  let step = w - l
  let (chosen, rejected) = entanglement(w, l)
  assert close(chosen, dot(w, step), 1e-12) and close(rejected, dot(l, step), 1e-12)
  // The margin grows in any case.
  assert close(chosen - rejected, sqnorm(step), 1e-12)
  let apart = disentangled(w, l)
  assert dot(w, apart) > 0.0 and dot(l, apart) < 0.0
  assert close(disentangled(3.0 * w, 0.1 * l), apart, 1e-12)
}
