// Problems within problems: the least upper(x, y) where y makes lower(x, y) least, subject to constraints on both. x and y are tensors or
// records of them.

/// A step of descent by `t` and ascent by `l` on the proximal Lagrangian, whose saddle value is v(x, y, z):
/// lower(x, t) + l constraint(x, t) + |t - y|^2 / (2 prox) - |l - z|^2 / (2 prox_dual). Gives the new pair.
fn saddle_step(lower, constraint, x, y, z, t, l, eta, prox, prox_dual, multipliers) = (
  t - eta * (grad(lower(x, t) + dot(l, constraint(x, t)), wrt: t) + (t - y) / prox),
  multipliers(l + eta * (constraint(x, t) - (l - z) / prox_dual)),
)

/// The gradient of v by x, y and z, given its saddle point (t, l), by first derivatives of lower and constraint alone.
fn value_slope(lower, constraint, x, y, z, t, l, prox, prox_dual) = (
  grad(lower(x, t) + dot(l, constraint(x, t)), wrt: x),
  (y - t) / prox,
  (l - z) / prox_dual,
)

/// One loop for min upper(x, y) over points of a set and y among the solutions of min lower(x, y) subject to constraint(x, y) <= 0, by
/// first derivatives alone (Yao, Yin, Zeng and Zhang 2024, LV-HBA, algorithm 1). Each step takes a `saddle_step` by `eta`, then moves x
/// and y by `alpha` and z by `beta` along the gradient of upper / c + lower - v, where c = c0 (step + 1)^growth. `project(x, y)` is the
/// pair within the set, `multipliers(l)` keeps multipliers in their box; a constraint that is an equation has multipliers of both signs.
/// {x, y, t, l, watched}, where t is the lower level's own solution, and `watched` has `watch(x, y)` after each step.
fn lv_hba(
  upper,
  lower,
  constraint,
  x,
  y,
  steps,
  project = |x, y| (x, y),
  multipliers = |l| max(l, 0.0),
  alpha = 5e-3,
  beta = 0.02,
  eta = 0.03,
  c0 = 0.5,
  growth = 0.3,
  prox = 10.0,
  prox_dual = 1.0,
  watch = |x, y| 0.0,
) {
  let none = zeros_like(constraint(x, y))
  let (end, watched) = scan (x = x, y = y, t = y, l = none, z = none) for k in 0..steps {
    let (t2, l2) = saddle_step(lower, constraint, x, y, z, t, l, eta, prox, prox_dual, multipliers)
    let (vx, vy, vz) = value_slope(lower, constraint, x, y, z, t2, l2, prox, prox_dual)
    let c = c0 * (real(k) + 1.0)^growth
    let (ux, uy) = grad(upper(x, y) / c + lower(x, y), wrt: (x, y))
    let (x2, y2) = project(x - alpha * (ux - vx), y - alpha * (uy - vy))
    next x = x2
    next y = y2
    next t = t2
    next l = l2
    next z = multipliers(z + beta * vz)
    yield watch(x2, y2)
  }
  {x: end.x, y: end.y, t: end.t, l: end.l, watched: watched}
}
