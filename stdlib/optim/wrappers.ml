// Optimizers around another one, `inner`: they say where its gradient is taken, or what becomes of its steps.

use std.optim.debias

/// The gradient at the worst parameters nearby, for `inner` (Foret et al. 2021, algorithm 1).
optimizer sam(rho = 0.05, inner) for all p, g, f {
  let q = p + rho / (norm(g) + 1e-12) * g
  inner(p, grad(f(q), wrt: q))
}

/// Slow parameters that follow the fast ones of `inner` every `every` steps (Zhang et al. 2019, algorithm 1).
optimizer lookahead(inner, every = 5, alpha = 0.5) for all p, g {
  state slow = p
  let fast = inner(p, g)
  let joined = lerp(slow, fast, alpha)
  let now = mod(step + 1, every) == 0
  set slow = if now { joined } else { slow }
  if now { joined } else { fast }
}

/// `inner`, and a running mean `x` of the parameters that it leaves, without the bias of its start: `fit.states.ema.x.w` (Polyak and
/// Juditsky 1992 with a mean that forgets).
optimizer ema(inner, decay = 0.999) for all p, g {
  state total = zeros_like(p)
  state x = p
  let q = inner(p, g)
  set total = lerp(q, total, decay)
  set x = debias(total, decay, step)
  q
}

/// `inner`, and the mean `x` of all parameters that it leaves from the step `from` on: `fit.states.swa.x.w` (Polyak and Juditsky
/// 1992; Izmailov et al. 2018).
optimizer swa(inner, from = 0) for all p, g {
  state x = p
  let q = inner(p, g)
  set x = lerp(x, q, 1.0 / real(max(step - from, 0) + 1))
  q
}

/// No schedule: `inner` moves z by the gradient at y = (1 - beta) z + beta x, and x is the mean of all z (Defazio et al. 2024,
/// with equal weights). The parameters in training are y; those to use are the state x: `fit.states.schedule_free.x.w`.
optimizer schedule_free(inner, beta = 0.9) for all p, g {
  state z = p
  state x = p
  set z = inner(z, g)
  set x = lerp(x, z, 1.0 / (real(step) + 1.0))
  lerp(z, x, beta)
}

/// `schedule_free` around Adam without its first mean, with decoupled weight decay, a warmup of `warmup` steps and a mean weighted by
/// squared rates (Defazio et al. 2024, algorithm 1). The parameters to use are `fit.states.schedule_free_adamw.x.w`.
optimizer schedule_free_adamw(
  lr = 0.0025,
  beta = 0.9,
  b2 = 0.999,
  eps = 1e-8,
  decay = 0.0,
  warmup = 0
) for all p, g {
  state z = p
  state x = p
  state v = zeros_like(p)
  state total = 0.0
  let t = real(step) + 1.0
  let rate = lr * sqrt(1.0 - b2^t) * min(1.0, t / real(max(warmup, 1)))
  set v = lerp(square(g), v, b2)
  set z = z - rate * (map(|g, v| g / (sqrt(v) + eps), g, v) + decay * p)
  set total = total + rate * rate
  set x = lerp(x, z, rate * rate / total)
  lerp(z, x, beta)
}

/// `inner`, its steps scaled down by `factor` whenever the objective has not fallen below its lowest value, by a share `threshold` of
/// it, for `patience` steps; never below `least`. The objective is a running mean where `smooth` is above 0.
optimizer on_plateau(
  inner,
  factor = 0.1,
  patience = 10,
  threshold = 1e-4,
  least = 0.0,
  smooth = 0.0
) for all p, g, f {
  state scale = 1.0
  state total = 0.0
  state lowest = inf
  state waited = 0
  set total = lerp(f(p), total, smooth)
  let value = debias(total, smooth, step)
  let better = value < lowest - threshold * abs(if is_finite(lowest) { lowest } else { 0.0 })
  set lowest = if better { value } else { lowest }
  set waited = if better { 0 } else { waited + 1 }
  let tired = waited > patience
  set scale = if tired { max(factor * scale, least) } else { scale }
  set waited = if tired { 0 } else { waited }
  p + scale * (inner(p, g) - p)
}
