// Optimizers that go along the gradient. `for p, g` runs on each tensor of the parameters, `for all p, g` on the whole record; `g` is
// the gradient to descend along, `f` the objective as a function of the parameters, `step` the number of updates before. Learning
// rates are schedules: a number or a function of the step. What an optimizer keeps is in checkpoints under its name: `fit.w.adam.m`.

/// p - lr g: gradient descent (Robbins and Monro 1951 for gradients with noise).
optimizer sgd(lr: schedule = 0.01) for p, g {
  p - lr(step) * g
}

/// v = mu v + g, p - lr v: gradient descent with a velocity (Polyak 1964; the form of Sutskever et al. 2013 without Nesterov's
/// look-ahead).
optimizer momentum(lr: schedule = 0.01, mu = 0.9) for p, g {
  state v = zeros_like(p)
  set v = mu * v + g
  p - lr(step) * v
}

/// v = mu v + g, p - lr (g + mu v): a velocity that looks ahead (Nesterov 1983; the form of Sutskever et al. 2013, section 2, with
/// the gradient taken at the parameters).
optimizer nesterov(lr: schedule = 0.01, mu = 0.9) for p, g {
  state v = zeros_like(p)
  set v = mu * v + g
  p - lr(step) * (g + mu * v)
}

/// p - lr g / |g|, |g| over all parameters: steps of length `lr`, for objectives with kinks (Shor 1985). With steps that
/// sum up without bound and go to 0, as the default lr / sqrt(t + 1), the lowest value found goes to the least one of a convex
/// objective; the parameters that had it are the state `best`: `fit.states.subgradient.best.w`.
optimizer subgradient(lr: schedule = |t| 0.1 / sqrt(real(t) + 1.0)) for all p, g, f {
  state best = p
  state lowest = inf
  let value = f(p)
  set best = if value < lowest { p } else { best }
  set lowest = min(value, lowest)
  p - lr(step) / max(norm(g), 1e-30) * g
}

/// p - scale (f(p) - lowest) / |g|^2 g: a subgradient method that needs no rate where the least value of the objective is known
/// (Polyak 1969).
optimizer polyak(lowest = 0.0, scale = 1.0) for all p, g, f {
  p - scale * max(f(p) - lowest, 0.0) / max(sqnorm(g), 1e-30) * g
}

/// One coordinate at a time, in turn or with `greedy` the one of the steepest slope: p_i - lr g_i / |h_ii|, where h_ii is the
/// objective's curvature along it (Wright 2015, algorithm 1; the greedy rule of Gauss and Southwell: Nutini et al. 2015). Where there
/// is no curvature the step is lr g_i. For objectives without noise.
optimizer coordinate_descent(lr: schedule = 1.0, greedy = false) for all p, g, f {
  let slopes = flatten(g)
  let n = len(slopes)
  let i = if greedy { argmax(abs(slopes)) } else { mod(step, n) }
  let along = one_hot(i, n)
  let q = p
  let curvature = abs(dot(flatten(hvp(f(q), wrt: q, along: unflatten(along, like: p))), along))
  let slope = dot(slopes, along)
  let move = if curvature > 0.0 { slope / curvature } else { slope }
  p - unflatten(lr(step) * move * along, like: p)
}
