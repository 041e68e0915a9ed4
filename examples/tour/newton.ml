// Newton's method without a Hessian: conjugate gradients on products of the Hessian and a vector (`hvp`), each the cost
// of a few gradients. Logistic regression on 569 tumours with a ridge; then Rosenbrock's valley. Runs in a moment.

precision f64

use std.linalg.cg
use std.implicit.argmin

data cancer = csv("../data/breast_cancer.csv")
let raw = stack(cancer.except{benign})
let centre = mean(raw, axis: 0)
let scale = std(raw, axis: 0)
let xs = for r in raw { concat((r - centre) / scale, [1.0]) }
let ys = real(cancer.benign)

/// The negative log likelihood with a normal prior on the weights.
fn logistic(w) = sum(for (x, y) in (xs, ys) { softplus(dot(x, w)) - y * dot(x, w) }) + 0.5 * sqnorm(w)

fn rosenbrock(x) = 100.0 * (x[1] - x[0]^2)^2 + (1.0 - x[0])^2

/// `n` steps of Newton's method from `start`: the point, and the norm of the gradient before each step.
fn newton(loss, start, n, inner) = scan (w = start) for i in 0..n {
  let g = grad(loss(w), wrt: w)
  next w = w - cg(|u| hvp(loss(w), wrt: w, along: u), g, steps: inner)
  yield norm(g)
}

stage solve_both = compute {
  let (w, norms) = newton(logistic, zeros(31), 10, 60)
  let (x, valley_norms) = newton(rosenbrock, [-1.2, 1.0], 8, 2)
  let right = for (r, y) in (xs, ys) { real((dot(r, w) > 0.0) == (y > 0.5)) }
  log gradient_norms = norms, loss = logistic(w), accuracy = mean(right)
  log valley_gradient_norms = valley_norms, valley_minimum = x
}

test "ten steps reach the optimum of the regression" {
  let (w, norms) = newton(logistic, zeros(31), 10, 60)
  assert norms[-1] < 1e-8
  assert close(w, argmin(|w, t| logistic(w), 0.0, zeros(31), tol: 1e-9), 1e-8)
}

test "the valley's optimum is (1, 1)" {
  let (x, norms) = newton(rosenbrock, [-1.2, 1.0], 8, 2)
  assert norms[-1] < 1e-8
  assert close(x, [1.0, 1.0], 1e-9)
}
