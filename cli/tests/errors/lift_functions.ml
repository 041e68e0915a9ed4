use std.dist.normal

param w = 1.0

fn m() {
  fn draw() = ({y: w}, 0.0)
  generative(sample: draw)
}

test "a model of functions" { assert is_finite(sample(lift(m(), {w: normal(0.0, 1.0)}))[1]) }
