precision f64

use checks.{continuous}
use std.dist.{normal, log_normal, half_normal, truncated_normal, cauchy, half_cauchy, student_t, laplace, logistic}
use std.dist.{gumbel, von_mises}
use std.supports.interval

test "normal" { assert continuous(|t| normal(t[0], t[1]), [0.4, 1.3], other: [-0.2, 2.0]) }
test "log_normal" { assert continuous(|t| log_normal(t[0], t[1]), [0.4, 0.5], other: [-0.2, 1.0]) }
test "half_normal" { assert continuous(|t| half_normal(t[0]), [1.3], other: [2.0]) }
test "truncated_normal, between" {
  assert continuous(|t| truncated_normal(t[0], t[1], low: t[2], high: t[3]), [0.4, 1.3, -0.3, 2.0])
}
test "truncated_normal, above" { assert continuous(|t| truncated_normal(t[0], t[1], low: t[2]), [0.4, 1.3, 3.0]) }
test "truncated_normal, below" { assert continuous(|t| truncated_normal(t[0], t[1], high: t[2]), [0.4, 1.3, 1.0]) }
test "cauchy" { assert continuous(|t| cauchy(t[0], t[1]), [0.4, 1.3], other: [-0.2, 2.0]) }
test "half_cauchy" { assert continuous(|t| half_cauchy(t[0]), [1.3]) }
test "student_t" { assert continuous(|t| student_t(t[0], t[1], t[2]), [5.5, 0.4, 1.3]) }
test "laplace" { assert continuous(|t| laplace(t[0], t[1]), [0.0, 1.3], other: [-0.2, 2.0]) }
test "logistic" { assert continuous(|t| logistic(t[0], t[1]), [0.4, 1.3]) }
test "gumbel" { assert continuous(|t| gumbel(t[0], t[1]), [0.4, 1.3], other: [-0.2, 2.0]) }
test "von_mises" {
  fn turn(t) = interval(t[0] - pi, t[0] + pi)
  assert continuous(|t| von_mises(t[0], t[1]), [0.4, 1.3], other: [-0.2, 2.0], on: turn)
}
test "von_mises, nearly even" {
  fn turn(t) = interval(t[0] - pi, t[0] + pi)
  assert continuous(|t| von_mises(t[0], t[1]), [0.4, 0.02], other: [-0.2, 2.0], on: turn)
}
test "von_mises, narrow" {
  fn turn(t) = interval(t[0] - pi, t[0] + pi)
  assert continuous(|t| von_mises(t[0], t[1]), [0.4, 60.0], other: [0.2, 50.0], on: turn)
}
