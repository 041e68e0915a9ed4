// std.diffgrad. Covered by examples/papers/diffgrad.ml: what it does in the paper's example and on digits, and that without friction it
// is Adam.
precision f64

use std.diffgrad.{diffgrad, friction_of}
use std.optim.adam

fn walk(o, gradients) {
  let (_, ps) = scan (p = 0.0, s = o.start(0.0)) for g in gradients {
    let (q, t) = o.step(p, g, s)
    next (p, s) = (q, t)
    yield q
  }
  ps
}

test "friction" {
  assert friction_of(0.0) == 0.5 and friction_of(-3.0) == friction_of(3.0)
  assert friction_of(40.0) > 0.999
}

test "steady gradients make half of Adam's steps, after the first" {
  let gradients = full(2.0, 6)
  let (a, d) = (walk(adam(lr: 0.1), gradients), walk(diffgrad(lr: 0.1), gradients))
  assert close(diff(d), 0.5 * diff(a), 1e-9)
  assert close(d[0], friction_of(2.0) * a[0], 1e-9)
}

test "without friction it is Adam" {
  let gradients = randn([20])
  assert close(walk(diffgrad(lr: 0.1, friction: |c| ones_like(c)), gradients), walk(adam(lr: 0.1), gradients), 1e-12)
}
