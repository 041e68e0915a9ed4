// Normalized by quadrature a density is known, but not how to draw from it.
use std.dist.normal
use std.inference.{normalize, quadrature}
model m() { z ~ normal(0.0, 1.0) }
test "a draw" {
  let (t, _) = sample(normalize(m(), with: quadrature(10, low: -8.0, high: 8.0)))
  assert is_finite(t.z)
}
