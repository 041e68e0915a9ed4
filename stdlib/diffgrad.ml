// An optimizer that slows down where the gradient does not change.

use std.optim.debias

/// The friction of `diffgrad`: between 0.5, where an element of the gradient is what it was, and 1, where it changed much.
fn friction_of(change) = sigmoid(abs(change))

/// Adam whose step is multiplied, element by element, by a friction that grows with the change of the gradient since the step before
/// (Dubey et al. 2020, equations 9 to 12): without change the step is half of Adam's. With `friction: |c| ones_like(c)` it is Adam.
optimizer diffgrad(lr: schedule = 1e-3, b1 = 0.9, b2 = 0.999, eps = 1e-8, friction = friction_of) for p, g {
  state m = zeros_like(p)
  state v = zeros_like(p)
  state before = zeros_like(p)
  let rub = friction(before - g)
  set m = lerp(g, m, b1)
  set v = lerp(square(g), v, b2)
  set before = g
  p - lr(step) * rub * debias(m, b1, step) / (sqrt(debias(v, b2, step)) + eps)
}
