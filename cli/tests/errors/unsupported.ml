// What is left out of this version: see the end of the reference.
use std.dist.normal
model m() {
  scan (at = 0.0) for i in 0..10, checkpoint: 5 {
    step ~ normal(at, 1.0)
    next at = step
  }
}
test "a walk" { assert is_finite(sample(m())[1]) }
