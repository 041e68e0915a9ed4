use std.dist.{uniform, exponential}
use std.auto.mean_field

model m() {
  top ~ exponential(1.0)
  x ~ uniform(0.0, top)
}

model guide = mean_field(m())

test "a draw" { assert is_finite(sample(guide)[0].x) }
