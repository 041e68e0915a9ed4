// Optimizers that use the curvature of the objective: they ask for it as a function, `minimize e over p using lbfgs()`.

use std.linalg.cg

/// What `compute(x)` gives where `due`, and `x` otherwise, without the work: a loop of one round or none.
fn _where(due, compute, x) {
  let end = scan (x = x, left = if due { 1 } else { 0 }) while left > 0, max: 1 {
    next x = compute(x)
    next left = 0
  }
  end.x
}

/// How far along `d` from `x`: Armijo's rule f(x + t d) <= f(x) + c1 t f'd and the weak rule of Wolfe f'(x + t d)d >= c2 f'd, by
/// doubling and bisection (Lewis and Overton 2013, algorithm 2.6; it takes kinks, too). After `rounds` trials, the longest step that
/// Armijo's rule allowed.
fn line_search(value, x, d, c1 = 1e-4, c2 = 0.9, rounds = 30) {
  let (here, slope) = value_and_grad(value(x), wrt: x)
  let fall = dot(slope, d)
  let end = scan (t = 1.0, low = 0.0, high = inf, done = false) while not done, max: rounds {
    let q = x + t * d
    let (there, slope) = value_and_grad(value(q), wrt: q)
    let falls = there <= here + c1 * t * fall
    let flat = dot(slope, d) >= c2 * fall
    let (low, high) = (if falls { t } else { low }, if falls { high } else { t })
    next done = falls and flat
    next low = low
    next high = high
    next t = if falls and flat { t } else { if is_finite(high) { 0.5 * (low + high) } else { 2.0 * t } }
  }
  if end.done { end.t } else { end.low }
}

/// L-BFGS: steps of Newton's method with an inverse Hessian made of the last `memory` moves (Nocedal and Wright 2006, algorithms 7.4
/// and 7.5), each as long as `line_search` says. For objectives without noise. Moves without positive curvature are not kept.
optimizer lbfgs(memory = 10, c1 = 1e-4, c2 = 0.9, rounds = 30) for all p, g, f {
  let n = size(flatten(p))
  state moves = zeros(memory, size(flatten(p)))
  state changes = zeros(memory, size(flatten(p)))
  state at = flatten(p)
  state slope = 0.0 * flatten(p)
  let (x, now) = (flatten(p), flatten(g))
  let (s, y) = (x - at, now - slope)
  let keep = step > 0 and dot(s, y) > 1e-12 * norm(s) * norm(y)
  set moves = if keep { concat(reshape(s, 1, n), moves[0..memory - 1]) } else { moves }
  set changes = if keep { concat(reshape(y, 1, n), changes[0..memory - 1]) } else { changes }
  set at = x
  set slope = now
  // Places that hold no move yet have 0 for 1 / y's, and change nothing.
  let weights = for (s, y) in (moves, changes) { if dot(s, y) > 0.0 { 1.0 / dot(s, y) } else { 0.0 } }
  let (q, shares) = scan (q = now) for i in 0..memory {
    let share = weights[i] * dot(moves[i], q)
    next q = q - share * changes[i]
    yield share
  }
  let newest = sqnorm(changes[0])
  let scale = if newest > 0.0 { dot(moves[0], changes[0]) / newest } else { 1.0 / max(norm(now), 1.0) }
  let r = scan (r = scale * q) for j in 0..memory {
    let i = memory - 1 - j
    next r = r + (shares[i] - weights[i] * dot(changes[i], r)) * moves[i]
  }
  let t = line_search(|x| f(unflatten(x, like: p)), x, -r, c1: c1, c2: c2, rounds: rounds)
  unflatten(x - t * r, like: p)
}

/// A running mean of the gradient over a running diagonal of the Hessian, each element within [-1, 1]: p - lr clip(m / max(scale h,
/// eps), -1, 1) - lr decay p (Liu et al. 2023, algorithm 3). The diagonal is estimated every `every` steps by u * (H u) with normal u
/// (their algorithm 1, after Hutchinson).
optimizer sophia(
  lr: schedule = 1e-3,
  b1 = 0.96,
  b2 = 0.99,
  scale = 0.01,
  eps = 1e-12,
  decay = 0.0,
  every = 10
) for all p, g, f {
  state m = zeros_like(p)
  state h = zeros_like(p)
  let u = map(|x| randn(shape(x)), p)
  fn fresh(h) {
    let q = p
    lerp(map(|u, v| u * v, u, hvp(f(q), wrt: q, along: u)), h, b2)
  }
  set m = lerp(g, m, b1)
  set h = _where(mod(step, every) == 0, fresh, h)
  let move = map(|m, h| clip(m / max(scale * h, eps), -1.0, 1.0), m, h)
  p - lr(step) * (move + decay * p)
}

/// p - lr (F + damping 1)^-1 g: the natural gradient (Amari 1998, theorem 1), or any other metric. `metric(q, v)` is F v at the
/// parameters `q`; both and its value have the form of all parameters, {w: ..}. Solved by `rounds` steps of conjugate gradients.
optimizer natural(metric, lr: schedule = 1.0, damping = 0.0, rounds = 20) for all p, g {
  let product = |v| flatten(metric(p, unflatten(v, like: p))) + damping * v
  p - lr(step) * unflatten(cg(product, flatten(g), steps: rounds), like: p)
}
