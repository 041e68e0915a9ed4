// A neural ODE (Chen et al. 2018): the right side of dx/dt = f(x) is a net, integrated by Runge and Kutta's method of
// order four in a `scan` whose reverse keeps every tenth state, and fitted to a damped oscillator. Runs in some
// seconds.

precision f64

use std.nn.mlp
use std.linalg.expm
use std.optim.adam

let small = false
let a = [[0.0, 1.0], [-1.0, -0.2]]
let starts = for k in 0..8 { [cos(0.785 * real(k)), sin(0.785 * real(k))] }

net f = mlp([2, 16, 2], act: tanh)

fn rk4(f, x, h) {
  let k1 = f(x)
  let k2 = f(x + 0.5 * h * k1)
  let k3 = f(x + 0.5 * h * k2)
  let k4 = f(x + h * k3)
  x + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
}

/// The states after 1, .., n steps of length h.
fn path(f, x0, h, n) {
  let (_, xs) = scan (x = x0) for i in 0..n, checkpoint: 10 {
    let y = rk4(f, x, h)
    next x = y
    yield y
  }
  xs
}

/// The oscillator itself: exp(t A) x0.
fn truth(x0, h, n) = for i in 0..n { expm(h * real(i + 1) * a) @ x0 }

fn loss() = mean(for x0 in starts { mean(square(path(f, x0, 0.2, 30) - truth(x0, 0.2, 30))) })

stage fit = train for if small { 400 } else { 1000 } steps {
  minimize loss() over f using adam(lr: |t| 0.02 * 0.997^real(t))
}

stage result = compute after fit {
  let x0 = [cos(0.4), sin(0.4)]
  log loss = loss()
  log unseen_start_after_6_seconds = path(f, x0, 0.2, 30)[-1], truth = truth(x0, 0.2, 30)[-1]
}

test "half the step, a sixteenth of the error" {
  let x0 = [1.0, 0.0]
  let end = expm(2.0 * a) @ x0
  let wide = norm(path(|x| a @ x, x0, 0.1, 20)[-1] - end)
  let narrow = norm(path(|x| a @ x, x0, 0.05, 40)[-1] - end)
  assert close(wide / narrow, 16.0, 1.0)
}

test "the oscillator is learned" {
  assert result.log.loss[0] < if small { 0.02 } else { 1e-3 }
}
