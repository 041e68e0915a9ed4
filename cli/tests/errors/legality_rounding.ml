// A reparameterised draw is rounded: its derivative is zero, that of the mean is not.
use std.dist.normal
param m = 0.5
fn rounded() = expect {
  z ~ normal(m, 1.0) via reparam
  square(round(z))
}
fn cut_off() = expect {
  z ~ normal(m, 1.0) via reparam
  floor(2.0 * z)
}
test "rounded" { assert is_finite(grad(rounded(), wrt: m)) }
test "cut off" { assert is_finite(grad(cut_off(), wrt: m)) }
