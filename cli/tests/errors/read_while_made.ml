use std.dist.normal

fn shifted() {
  param loc = 0.0
  let d = normal(loc, 1.0)
  model q() { z ~ d }
  q()
}

model guide = shifted()

test "a draw" { assert is_finite(sample(guide)[0].z) }
