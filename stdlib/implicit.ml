// Derivatives of what a solver finds, by the implicit function theorem: nothing passes through the solver's steps.

/// x <- f(x) from `x0` until two iterates are nearer than `tol`, at most `max` times. Has no derivative of its own.
fn iterate(f, x0, tol = 1e-6, max = 1000) {
  let r = scan (x = x0, err = inf) while err > tol, max: max {
    let y = f(x)
    next x = y
    next err = norm(y - x)
  }
  r.x
}

/// The x with x = f(x, theta), by iteration from `x0`. Its derivative by theta is that of the solution: with J = df/dx there,
/// dx = (I - J)^-1 df/dtheta dtheta. None by x0. What f captures besides is refused: make it part of theta. Derivatives
/// beyond the first must be asked for by `order`; x is a number or a vector then, and J is solved with as a whole.
fn fixed_point(f, theta, x0, tol = 1e-6, max = 1000, order = 1) =
  if order == 1 {
    _fixed_point(f, theta, x0, tol: tol, max: max)
  } else {
    _polished(|x| x - f(x, theta), stop(iterate(|x| f(x, theta), stop(x0), tol: tol, max: max)), order)
  }

/// Newton steps at a root. From a root that does not move with what the function depends on, the error of a step is the square
/// of the one before, so after k steps derivatives are right up to the order 2^k - 1.
fn _polished(residual, x, order) =
  if order <= 0 {
    x
  } else {
    let r = residual(x)
    let y = if rank(x) == 0 { x - r / grad(r, wrt: x) } else { x - solve(jacobian(r, wrt: x), r) }
    _polished(residual, y, div(order, 2))
  }

fn _fixed_point(f, theta, x0, tol = 1e-6, max = 1000) {
  iterate(|x| f(x, theta), stop(x0), tol: tol, max: max)
} with vjp(dy, x) {
  // u = dy + J^T u
  let u = iterate(|u| dy + vjp(f(x, theta), wrt: x, by: u), dy, tol: tol, max: max)
  {theta: vjp(f(x, theta), wrt: theta, by: u), x0: 0.0}
} with jvp(dtheta, dx0, x) {
  // dx = J dx + df/dtheta dtheta
  let e = jvp(f(x, theta), wrt: theta, along: dtheta)
  iterate(|d| e + jvp(f(x, theta), wrt: x, along: d), e, tol: tol, max: max)
}

fn _slope(loss, x, theta) = grad(loss(x, theta), wrt: x)

/// The x that makes loss(x, theta) least, by Newton's method from `x0` (a vector near enough to it). Its derivative by theta
/// is that of the minimum: dx = -H^-1 d(slope)/dtheta dtheta, H the Hessian there. None by x0.
fn argmin(loss, theta, x0, tol = 1e-6, max = 50) {
  let r = scan (x = stop(x0), g = _slope(loss, stop(x0), theta)) while norm(g) > tol, max: max {
    let y = x - solve(hessian(loss(x, theta), wrt: x), g)
    next x = y
    next g = _slope(loss, y, theta)
  }
  r.x
} with vjp(dy, x) {
  let u = solve(hessian(loss(x, theta), wrt: x), dy)
  {theta: -vjp(_slope(loss, x, theta), wrt: theta, by: u), x0: 0.0}
} with jvp(dtheta, dx0, x) {
  -solve(hessian(loss(x, theta), wrt: x), jvp(_slope(loss, x, theta), wrt: theta, along: dtheta))
}
