// Optimizers that scale each element of a step by the gradients before: running means `m` of gradients and `v` of their squares.

/// m / (1 - b^(t + 1)): takes out the bias of a running mean that started at 0 (Kingma and Ba 2015, section 3).
fn debias(m, b, t) = m / (1.0 - b^(real(t) + 1.0))

/// p - lr g / (sqrt(sum of g^2) + eps): steps that shrink with the squared gradients so far (Duchi, Hazan and Singer 2011, the diagonal
/// form).
optimizer adagrad(lr: schedule = 0.01, eps = 1e-10) for p, g {
  state total = zeros_like(p)
  set total = total + g * g
  p - lr(step) * g / (sqrt(total) + eps)
}

/// p - lr rms(moves) / rms(g) g: steps in the unit of the parameters (Zeiler 2012, algorithm 1).
optimizer adadelta(lr: schedule = 1.0, decay = 0.95, eps = 1e-6) for p, g {
  state v = zeros_like(p)
  state moves = zeros_like(p)
  set v = lerp(square(g), v, decay)
  let move = sqrt(moves + eps) / sqrt(v + eps) * g
  set moves = lerp(square(move), moves, decay)
  p - lr(step) * move
}

/// p - lr g / (sqrt(v) + eps): steps divided by a running root mean square of the gradient (Tieleman and Hinton 2012, lecture 6.5).
optimizer rmsprop(lr: schedule = 1e-3, decay = 0.9, eps = 1e-8) for p, g {
  state v = zeros_like(p)
  set v = lerp(square(g), v, decay)
  p - lr(step) * g / (sqrt(v) + eps)
}

/// p - lr m / (sqrt(v) + eps), both means without their bias: Adam (Kingma and Ba 2015, algorithm 1).
optimizer adam(lr: schedule = 1e-3, b1 = 0.9, b2 = 0.999, eps = 1e-8) for p, g {
  state m = zeros_like(p)
  state v = zeros_like(p)
  set m = lerp(g, m, b1)
  set v = lerp(square(g), v, b2)
  p - lr(step) * debias(m, b1, step) / (sqrt(debias(v, b2, step)) + eps)
}

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2): p - lr (step of Adam + decay p). With `independent` the
/// decay is not scaled by the learning rate, but a schedule of its own: p - lr (step of Adam) - decay p.
optimizer adamw(
  lr: schedule = 1e-3,
  b1 = 0.9,
  b2 = 0.999,
  eps = 1e-8,
  decay: schedule = 0.01,
  independent = false
) for p, g {
  state m = zeros_like(p)
  state v = zeros_like(p)
  set m = lerp(g, m, b1)
  set v = lerp(square(g), v, b2)
  let moved = p - lr(step) * debias(m, b1, step) / (sqrt(debias(v, b2, step)) + eps)
  moved - (if independent { decay(step) } else { lr(step) * decay(step) }) * p
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

/// Adam, with a factor for the variance of its early scales: while that is not finite, a step along the running mean (Liu et al. 2020,
/// algorithm 2; `eps` as in Adam).
optimizer radam(lr: schedule = 1e-3, b1 = 0.9, b2 = 0.999, eps = 1e-8) for p, g {
  state m = zeros_like(p)
  state v = zeros_like(p)
  set m = lerp(g, m, b1)
  set v = lerp(square(g), v, b2)
  // The length of the mean of squares, as that of a simple average, and what it goes to.
  let t = real(step) + 1.0
  let most = 2.0 / (1.0 - b2) - 1.0
  let length = most - 2.0 * t * b2^t / (1.0 - b2^t)
  let known = length > 4.0
  let l = if known { length } else { 5.0 }
  let r = sqrt((l - 4.0) * (l - 2.0) * most / ((most - 4.0) * (most - 2.0) * l))
  let mean = debias(m, b1, step)
  let move = if known { r * mean / (sqrt(debias(v, b2, step)) + eps) } else { mean }
  p - lr(step) * move
}

/// Adam, divided by how far gradients lie from their running mean instead of from 0 (Zhuang et al. 2020, algorithm 2).
optimizer adabelief(lr: schedule = 1e-3, b1 = 0.9, b2 = 0.999, eps = 1e-16) for p, g {
  state m = zeros_like(p)
  state s = zeros_like(p)
  set m = lerp(g, m, b1)
  set s = lerp(square(g - m), s, b2) + eps
  p - lr(step) * debias(m, b1, step) / (sqrt(debias(s, b2, step)) + eps)
}

/// p - lr (sign(b1 m + (1 - b1) g) + decay p): the sign of a running mean, with decoupled weight decay (Chen et al. 2023, algorithm 2).
optimizer lion(lr: schedule = 1e-4, b1 = 0.9, b2 = 0.99, decay = 0.0) for p, g {
  state m = zeros_like(p)
  let direction = sign(lerp(g, m, b1))
  set m = lerp(g, m, b2)
  p - lr(step) * (direction + decay * p)
}
