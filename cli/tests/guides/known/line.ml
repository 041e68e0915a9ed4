// A posterior that is normal and known: the weights of a line through four points.

use std.dist.normal

let x = [[1.0, 0.5], [0.2, -1.0], [1.5, 1.4], [-0.3, 0.8]]
let y = [1.0, -0.5, 2.0, 0.7]

model line() {
  w ~ normal(zeros(2), 2.0)
  for row in x { y ~ normal(dot(row, w), 0.5) }
}

let posterior = line() given {y}
let precision_of = x.T @ x / 0.25 + [[0.25, 0.0], [0.0, 0.25]]
let centre = solve(precision_of, x.T @ y / 0.25)
let covariance_of = solve(precision_of, [[1.0, 0.0], [0.0, 1.0]])

/// The spread of draws about the centre.
fn covariance_from(d) {
  let c = for row in d { row - centre }
  c.T @ c / real(len(d))
}
