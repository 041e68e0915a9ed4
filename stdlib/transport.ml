// Optimal transport with an entropic term: the plan p >= 0 with row sums r and column sums c that makes sum(cost * p) + sum(p (log p -
// 1)) / eta least. It is p_ij = exp(eta (x_i + y_j - cost_ij)) at the potentials {x, y} that maximise r x + c y - sum(p) / eta, a concave
// function whose gradient is what the marginals lack. A problem is a record {cost, r, c, eta}.

/// The plan of potentials.
fn plan(t, v) = exp(log_plan(t, v))

/// Its logarithm.
fn log_plan(t, v) = t.eta * (spread(v.x, like: t.cost, axis: 1) + spread(v.y, like: t.cost, axis: 0) - t.cost)

/// What the potentials maximise.
fn potential(t, v) = dot(t.r, v.x) + dot(t.c, v.y) - sum(plan(t, v)) / t.eta

/// The gradient of `potential`: {x: r - row sums, y: c - column sums} of the plan.
fn lacking(t, v) {
  let p = plan(t, v)
  {x: t.r - sum(p, axis: 1), y: t.c - sum(p, axis: 0)}
}

/// The sum of magnitudes of `lacking`.
fn marginal_error(t, v) {
  let g = lacking(t, v)
  sum(abs(g.x)) + sum(abs(g.y))
}

/// Potentials 0.
fn no_potentials(t) = {x: zeros_like(t.r), y: zeros_like(t.c)}

/// Sinkhorn's iteration (Cuturi 2013), in logarithms: x, then y, to where one of the marginals is met.
fn sinkhorn_step(t, v) {
  let x = v.x + (log(t.r) - logsumexp(log_plan(t, v), axis: 1)) / t.eta
  let y = v.y + (log(t.c) - logsumexp(log_plan(t, {x, y: v.y}), axis: 0)) / t.eta
  {x, y}
}

/// A step of Newton's method on `potential`, whose Hessian is -eta [[diag(p 1), p], [p', diag(p' 1)]], with the `entries` largest elements
/// of p in the off-diagonal blocks and zeros for the others (Tang, Shavlovsky, Rahmanian, Tardini, Thekumparampil, Xiao and Ying 2024):
/// conjugate gradients, preconditioned by the diagonal, to `precision` of the residual, and a line search that halves the step. A product
/// with the Hessian takes `entries` products. {x, y, products}
fn sparse_newton_step(t, v, entries, precision = 1e-6) {
  let p = plan(t, v)
  let (values, at) = top_k(flatten(p), entries)
  let (rows, columns) = (div(at, len(t.c)), mod(at, len(t.c)))
  let weight = {x: sum(p, axis: 1), y: sum(p, axis: 0)}
  let product = |d| {
    x: scatter_add(weight.x * d.x, at: rows, values: values * d.y[columns]),
    y: scatter_add(weight.y * d.y, at: columns, values: values * d.x[rows]),
  }
  let g = lacking(t, v)
  let found = _conjugate_gradients(product, g, |r| r / weight, precision, 2 * (len(t.r) + len(t.c)))
  let d = found.d / t.eta
  let (here, slope) = (potential(t, v), dot(g, d))
  // What rounding of the potential may hide counts as a rise.
  let rises = |s| potential(t, v + s * d) >= here + 1e-4 * s * slope - 1e-15 * max(abs(here), 1.0)
  let s = scan (s = 1.0) while not rises(s), max: 40 { next s = 0.5 * s }
  {..v + s * d, products: found.steps}
}

// {d, steps}: an approximate d with product(d) = b, where `product` is positive semidefinite and b in its range.
fn _conjugate_gradients(product, b, precondition, precision, max) {
  let z0 = precondition(b)
  let r = scan (d = 0.0 * b, r = b, p = z0, rz = dot(b, z0), steps = 0) while norm(r) > precision * norm(b), max: max {
    let ap = product(p)
    let step = rz / dot(p, ap)
    let left = r - step * ap
    let z = precondition(left)
    next d = d + step * p
    next r = left
    next p = z + dot(left, z) / rz * p
    next rz = dot(left, z)
    next steps = steps + 1
  }
  {d: r.d, steps: r.steps}
}

/// Sinkhorn's iteration from `v` until `marginal_error` is at most `tol`: {x, y, steps}.
fn sinkhorn(t, v, tol = 1e-11, max = 5000) {
  let r = scan (v = v, steps = 0) while marginal_error(t, v) > tol, max: max {
    next v = sinkhorn_step(t, v)
    next steps = steps + 1
  }
  {..r.v, steps: r.steps}
}

/// `warm` of Sinkhorn's iterations and then `sparse_newton_step` until `marginal_error` is at most `tol`: {x, y, steps, products}, where
/// `steps` are those of both kinds and `products` those with the sparse Hessian.
fn sparse_newton(t, v, entries, warm = 20, tol = 1e-11, max = 100) {
  let w = scan (w = v) for i in 0..warm { next w = sinkhorn_step(t, w) }
  let r = scan (v = w, steps = warm, products = 0) while marginal_error(t, v) > tol, max: max {
    let s = sparse_newton_step(t, v, entries)
    next v = s.{x, y}
    next steps = steps + 1
    next products = products + s.products
  }
  {..r.v, steps: r.steps, products: r.products}
}
