// std.in_context. Covered by examples/papers/icl_one_step_gd.ml: `gradient_step` and `step_risk` by draws, and what a layer learns.
precision f64

use std.in_context.{linear_attention, effective_matrix, gradient_step, best_rate, step_risk}

let x = for i in 0..5 { randn([2]) }
let y = randn([5])
let query = [0.4, -1.0]

net layer = linear_attention(5, 2)

fn only(v) = for i in 0..3 { real(one_hot(i, 3)) * v[i] }

test "a layer that is one step of descent" {
  // Keys and queries see the inputs, values the outputs.
  let step = layer.with({queries: only([1.0, 1.0, 0.0]), keys: only([1.0, 1.0, 0.0]), values: only([0.0, 0.0, 0.7])})
  assert close(step(x, y, query), gradient_step(x, y, query, 0.7 / 5.0), 1e-12)
  assert close(effective_matrix(step, 5, 2), [[0.14, 0.0], [0.0, 0.14]], 1e-12)
}

test "the order of examples does not matter" {
  let order = [3, 0, 4, 1, 2]
  assert close(layer(x[order], y[order], query), layer(x, y, query), 1e-12)
}

test "a step" {
  let w = zeros(2)
  let slope = grad(0.5 * sum(square(x @ w - y)), wrt: w)
  assert close(gradient_step(x, y, query, 0.1), -0.1 * dot(slope, query), 1e-12)
}

test "the best rate" {
  let rate = best_rate(20, 5, 0.5)
  assert close(rate, 1.0 / 26.25, 1e-12)
  assert close(grad(step_risk(rate, 20, 5, 0.5), wrt: rate), 0.0, 1e-9)
  assert close(step_risk(0.0, 20, 5, 0.5), 5.25, 1e-12)
}
