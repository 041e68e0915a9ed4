// Optimizers, leaf by leaf: `p` is the parameter, `g` the gradient to descend along, `step` the number of updates before.
// A learning rate may be a function of the step.

/// m / (1 - b^(t + 1)): takes out the bias of a running mean that started at 0.
fn debias(m, b, t) = m / (1.0 - b^(real(t) + 1.0))

/// Gradient descent.
optimizer sgd(lr: schedule = 0.01) for p, g {
  p - lr(step) * g
}

/// Gradient descent with a velocity (Polyak 1964; the form of Sutskever et al. 2013 without Nesterov's look-ahead).
optimizer momentum(lr: schedule = 0.01, mu = 0.9) for p, g {
  state v = zeros_like(p)
  set v = mu * v + g
  p - lr(step) * v
}

/// Adam (Kingma and Ba 2015, algorithm 1).
optimizer adam(lr: schedule = 1e-3, b1 = 0.9, b2 = 0.999, eps = 1e-8) for p, g {
  state m = zeros_like(p)
  state v = zeros_like(p)
  set m = lerp(g, m, b1)
  set v = lerp(square(g), v, b2)
  p - lr(step) * debias(m, b1, step) / (sqrt(debias(v, b2, step)) + eps)
}
