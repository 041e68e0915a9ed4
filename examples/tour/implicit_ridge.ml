// Learning the penalty of ridge regression: the weights are an `argmin`, and the derivative of the validation loss by
// the penalty passes through the solution by the implicit function theorem (std.implicit), not through the solver. Runs
// in a moment.

precision f64

use std.implicit.argmin
use std.linalg.eye
use std.optim.adam

let d = 10
let truth = sin(real(iota(d)))
let xs = with_key(1) randn([30, d])
let ys = xs @ truth + 2.0 * with_key(2) randn([30])
let held_xs = with_key(3) randn([200, d])
let held_ys = held_xs @ truth + 2.0 * with_key(4) randn([200])

param penalty = -2.0

/// The w that makes |X w - y|^2 + exp(t) |w|^2 least.
fn weights(t) = argmin(|w, t| sqnorm(xs @ w - ys) + exp(t) * sqnorm(w), t, zeros(d), tol: 1e-9)

fn validation(t) = mean(square(held_xs @ weights(t) - held_ys))

stage tune = train for 300 steps {
  minimize validation(penalty) over penalty using adam(lr: 0.1)
}

stage result = compute after tune {
  log penalty = exp(penalty), validation = validation(penalty), slope = grad(validation(penalty), wrt: penalty)
  log validation_at_no_penalty = validation(-20.0)
}

test "the derivative by the penalty is that of the closed form" {
  // w = A^-1 X'y with A = X'X + e^t I, so dw/dt = -e^t A^-1 w.
  let t = 1.0
  let gram = transpose(xs) @ xs + exp(t) * eye(d)
  let w = solve(gram, transpose(xs) @ ys)
  let dw = -exp(t) * solve(gram, w)
  assert close(weights(t), w, 1e-9)
  assert close(grad(validation(t), wrt: t), 2.0 * mean((held_xs @ w - held_ys) * (held_xs @ dw)), 1e-9)
}

test "the learned penalty is a minimum, better than none" {
  assert abs(result.log.slope[0]) < 1e-5
  assert result.log.validation[0] < result.log.validation_at_no_penalty[0]
}
