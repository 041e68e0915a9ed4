// std.binary. Covered by examples/papers/reste.ml: `ste`, `reste` and `power_sign` against each other.
precision f64

use std.binary.{ste, power_sign, reste_slope, reste, ede, binary_dense}
use std.testing.gradients_match

let x = [-1.4, -0.6, -0.05, 0.3, 1.2, 2.0]

test "all are the sign" {
  assert all((for f in [|v| ste(v), |v| reste(v, 3.0), |v| ede(v, 2.0)] { norm(f(x) - sign(x)) }) == 0.0)
}

test "slopes" {
  assert close(grad(sum(ste(x)), wrt: x), real(abs(x) <= 1.0), 0.0)
  assert close(grad(sum(reste(x, 3.0)), wrt: x), reste_slope(x, 3.0), 0.0)
  let t = 2.0
  assert close(grad(sum(ede(x, t)), wrt: x), grad(sum(tanh(t * x)), wrt: x), 1e-12)
  // Below 1 the slope at 0 is that of the identity's, over t by t.
  assert close(grad(sum(ede(x, 0.5)), wrt: x), grad(2.0 * sum(tanh(0.5 * x)), wrt: x), 1e-12)
}

test "the slope of reste, piece by piece" {
  assert reste_slope(1.6, 3.0) == 0.0
  assert close(reste_slope(0.5, 3.0), 0.5^(1.0 / 3.0 - 1.0) / 3.0, 1e-12)
  // Below m it is that of the line from 0 to m.
  assert close(reste_slope(0.01, 3.0), 0.1^(1.0 / 3.0) / 0.1, 1e-12)
  assert gradients_match(|v| sum(power_sign(v, 3.0)), at: [-1.2, 0.4, 0.9])
}

net layer = binary_dense(3, 2, |w, level| reste(w, level))

test "a layer" {
  let v = [1.0, -1.0, 1.0]
  let w = layer.params.w
  assert close(layer(v, 2.0), mean(abs(w)) * (v @ sign(w)), 1e-12)
  // No derivative passes through the scale.
  let g = grad(sum(layer(v, 2.0)), wrt: layer).w
  assert close(g, for (row, a) in (w, v) { mean(abs(w)) * a * reste_slope(row, 2.0) }, 1e-12)
}
