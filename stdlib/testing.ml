// Checks for `test` blocks. Each gives a record: `holds` says whether it does, and a failing `assert` shows the other parts.

/// Do the reverse and the forward derivative of `f` at `at` agree with finite differences? `f` takes a tensor, tuple or record of
/// reals to one real. All is computed in f64, along one random direction, with central differences of two widths (Richardson's
/// extrapolation, error of the order of step^4); `tol` is relative where the derivative is larger than 1. In a pipeline of f32,
/// `f` must take f64 as well: declare no `real`, or write `precision f64`. Without draws of its own.
fn gradients_match(f, at, tol = 1e-6, step = 1e-3) {
  let x = f64(at)
  let u = map(|t| f64(2.0 * rand(shape(t)) - 1.0), x)
  let y = f(x)
  let reverse = dot(grad(y, wrt: x), u)
  let forward = jvp(y, wrt: x, along: u)
  let near = (f(x + step * u) - f(x - step * u)) / (2.0 * step)
  let far = (f(x + 2.0 * step * u) - f(x - 2.0 * step * u)) / (4.0 * step)
  let differences = (4.0 * near - far) / 3.0
  let most = tol * max(abs(differences), 1.0)
  {holds: abs(reverse - differences) <= most and abs(forward - differences) <= most, reverse, forward, differences}
}

/// Is the mean of `draw(i)` over independent draws i = 0 .. draws - 1 equal to `truth`, for instance
/// `unbiased(|i| grad(elbo(p(), q()), wrt: mu), truth: g)`? Each component's mean may lie as many standard errors away as one of
/// unbiased normal means does with a probability of at most `error`, over all components together: the tail of a normal z is less
/// than 2 exp(-z^2 / 2), and the components' probabilities add. A seed gives the same draws each time.
fn unbiased(draw, truth, draws = 2048, error = 1e-6) {
  let t = flatten(truth)
  let g = for i in 0..draws { flatten(draw(i)) }
  let m = mean(g, axis: 0)
  let errors = sqrt(mean(for r in g { square(r - m) }, axis: 0) / real(draws - 1))
  let bound = sqrt(2.0 * log(2.0 * real(size(t)) / error)) * errors + 1e-6 * (1.0 + abs(t))
  {holds: all(abs(m - t) <= bound), mean: m, truth: t, bound}
}
