// Optimizers. `for p, g` runs on each tensor of the parameters, `for all p, g` on the whole record; `g` is the gradient to descend
// along, `f` the objective as a function of the parameters, `step` the number of updates before. A `transform` gives a new gradient
// instead of a new parameter and stands before an optimizer: `clip_norm(1.0) |> adam(lr: 1e-3)`. Learning rates are schedules: a number or a
// function of the step. What an optimizer keeps is in checkpoints under its name: `fit.w.adam.m`.

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

/// Gradient descent with a velocity that looks ahead (Nesterov 1983; the form of Sutskever et al. 2013, section 2, with the gradient taken
/// at the parameters).
optimizer nesterov(lr: schedule = 0.01, mu = 0.9) for p, g {
  state v = zeros_like(p)
  set v = mu * v + g
  p - lr(step) * (g + mu * v)
}

/// Steps that shrink with the sum of squared gradients (Duchi, Hazan and Singer 2011, the diagonal form).
optimizer adagrad(lr: schedule = 0.01, eps = 1e-10) for p, g {
  state total = zeros_like(p)
  set total = total + g * g
  p - lr(step) * g / (sqrt(total) + eps)
}

/// Steps divided by a running root mean square of the gradient (Tieleman and Hinton 2012, lecture 6.5).
optimizer rmsprop(lr: schedule = 1e-3, decay = 0.9, eps = 1e-8) for p, g {
  state v = zeros_like(p)
  set v = lerp(square(g), v, decay)
  p - lr(step) * g / (sqrt(v) + eps)
}

/// Adam (Kingma and Ba 2015, algorithm 1).
optimizer adam(lr: schedule = 1e-3, b1 = 0.9, b2 = 0.999, eps = 1e-8) for p, g {
  state m = zeros_like(p)
  state v = zeros_like(p)
  set m = lerp(g, m, b1)
  set v = lerp(square(g), v, b2)
  p - lr(step) * debias(m, b1, step) / (sqrt(debias(v, b2, step)) + eps)
}

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2; the decay is scaled by the learning rate).
optimizer adamw(lr: schedule = 1e-3, b1 = 0.9, b2 = 0.999, eps = 1e-8, decay = 0.01) for p, g {
  state m = zeros_like(p)
  state v = zeros_like(p)
  set m = lerp(g, m, b1)
  set v = lerp(square(g), v, b2)
  p - lr(step) * (debias(m, b1, step) / (sqrt(debias(v, b2, step)) + eps) + decay * p)
}

/// Adam whose steps never grow: divided by the largest second moment so far (Reddi, Kale and Kumar 2018, algorithm 2, with the
/// corrections of the bias of Adam).
optimizer amsgrad(lr: schedule = 1e-3, b1 = 0.9, b2 = 0.999, eps = 1e-8) for p, g {
  state m = zeros_like(p)
  state v = zeros_like(p)
  state top = zeros_like(p)
  set m = lerp(g, m, b1)
  set v = lerp(square(g), v, b2)
  set top = max(top, v)
  p - lr(step) * debias(m, b1, step) / (sqrt(debias(top, b2, step)) + eps)
}

/// Adam with Nesterov's look-ahead (Dozat 2016, with a constant b1).
optimizer nadam(lr: schedule = 1e-3, b1 = 0.9, b2 = 0.999, eps = 1e-8) for p, g {
  state m = zeros_like(p)
  state v = zeros_like(p)
  set m = lerp(g, m, b1)
  set v = lerp(square(g), v, b2)
  let ahead = b1 * debias(m, b1, step + 1) + (1.0 - b1) * debias(g, b1, step)
  p - lr(step) * ahead / (sqrt(debias(v, b2, step)) + eps)
}

/// The sign of a running mean, with decoupled weight decay (Chen et al. 2023, algorithm 2).
optimizer lion(lr: schedule = 1e-4, b1 = 0.9, b2 = 0.99, decay = 0.0) for p, g {
  state m = zeros_like(p)
  let direction = sign(lerp(g, m, b1))
  set m = lerp(g, m, b2)
  p - lr(step) * (direction + decay * p)
}

/// The gradient at the worst parameters nearby, for `inner` (Foret et al. 2021, algorithm 1).
optimizer sam(rho = 0.05, inner) for all p, g, f {
  let q = p + rho / (norm(g) + 1e-12) * g
  inner(p, grad(f(q), wrt: q))
}

/// Slow parameters that follow the fast ones of `inner` every `every` steps (Zhang et al. 2019, algorithm 1).
optimizer lookahead(inner, every = 5, alpha = 0.5) for p, g {
  state slow = p
  let fast = inner(p, g)
  let joined = lerp(slow, fast, alpha)
  let now = mod(step + 1, every) == 0
  set slow = if now { joined } else { slow }
  if now { joined } else { fast }
}

/// The gradient scaled down where its length over all parameters is above `limit` (Pascanu, Mikolov and Bengio 2013, algorithm 1).
transform clip_norm(limit = 1.0) for all p, g {
  let length = norm(g)
  g * (limit / max(length, limit))
}

/// Every element of the gradient within [-limit, limit].
transform clip_value(limit = 1.0) for p, g {
  clip(g, -limit, limit)
}

/// The gradient with that of rate / 2 * |p|^2 added.
transform weight_decay(rate = 1e-4) for p, g {
  g + rate * p
}

/// A running mean of the gradient in its place, corrected for its start at 0.
transform average(decay = 0.9) for p, g {
  state m = zeros_like(p)
  set m = lerp(g, m, decay)
  debias(m, decay, step)
}

/// The gradient times a number or a schedule.
transform scale(rate: schedule) for p, g {
  rate(step) * g
}
