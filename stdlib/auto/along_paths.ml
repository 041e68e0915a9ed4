// Pathfinder (Zhang, Carpenter, Gelman and Vehtari 2022): on the way to the mode by L-BFGS each step knows a curvature,
// and so a normal distribution; of these the one with the best bound is taken. It is that of a place where the density
// is typical, which in many dimensions, or where the density has no highest point, is not the mode.
//
// The inverse of the curvature is h = diag(a) + b @ c @ b.T, with b of twice as many columns as steps are remembered
// (Byrd, Nocedal and Schnabel 1994, theorem 2.2). With q @ r = diag(a)^-1/2 @ b and l @ l.T = I + r @ c @ r.T, h is the
// square of diag(a)^1/2 @ (I + q @ (l - I) @ q.T), from which draws and densities come in a time linear in the
// dimensions.

use std.linalg.{diagonal, diag, eye}
use std.auto.{layout, width, trace_at, vector_of, height, best_of, first_of, full_rank, framed}

/// For `start:` of guides: from `search(n)` uphill by at most `steps` steps of L-BFGS, of which the last `history` are
/// remembered; the frame is that of the step where the bound, by `draws` draws, is best.
fn path(n = 64, steps = 100, history = 6, draws = 10) =
  |m, parts| _along(m, parts, best_of(m, parts, n), steps, history, draws)

/// A guide that is known when it is made: the normal distribution with the best bound on the way to the mode. It has
/// the parameters of `full_rank`, for those who want to train it further. With `paths` more than one, the mixture of
/// those of as many paths, which begin at points between -2 and 2 in each direction; `normalize(m, with: sir(guide,
/// n))` resamples its draws.
fn pathfinder(m, paths = 1, steps = 100, history = 6, draws = 10) =
  if paths == 1 {
    full_rank(m, start: path(steps: steps, history: history, draws: draws))
  } else {
    _mixed(m, paths, steps, history, draws)
  }

fn _mixed(m, paths, steps, history, draws) {
  if paths < 1 {
    refuse("`pathfinder` needs a path", hint: "`paths` is at least 1")
  }
  let parts = layout(m)
  let d = width(parts)
  state frames = for i in 0..paths {
    framed(_along(m, parts, first_of(m, parts, 64), steps, history, draws))
  }
  fn density_of(x) = logmeanexp(for f in frames {
    -0.5 * sqnorm(solve(f.root, x - f.at)) - f.log_scale - 0.5 * real(d) * log(2.0 * pi)
  })
  fn draw() {
    let i = min(int(rand() * real(paths)), paths - 1)
    let x = frames.at[i] + frames.root[i] @ randn([d])
    let (t, slope) = trace_at(parts, x)
    (t, density_of(x) - slope)
  }
  fn density(t) {
    let (x, slope) = vector_of(parts, t)
    density_of(x) - slope
  }
  generative(sample: draw, density: density, sites: sites(m), name: "pathfinder", exact: true)
}

// The height at a point, and its derivative.
fn _slope(m, parts, x) {
  let h = height(m, parts, x)
  (h, grad(h, wrt: x))
}

fn _along(m, parts, start, steps, history, draws) {
  let d = width(parts)
  let k = min(d, 2 * history)
  let (h, g) = _slope(m, parts, start)
  let nothing = {bound: -inf + 0.0 * h, at: start, a: ones(d), q: zeros(d, k), l: eye(k)}
  let none_yet = zeros(history, d)
  let end = scan (
    x = start,
    h = h,
    g = g,
    a = ones(d) / max(norm(g), 1.0),
    s = none_yet,
    y = none_yet,
    best = nothing,
    moved = true
  ) while moved, max: steps {
    let (b, c) = _inverse(a, s, y)
    let newton = a * g + b @ (c @ (g @ b))
    let step = select(all(is_finite(newton)) and dot(newton, g) > 0.0, newton, a * g)
    let seen = _bound(m, parts, {at: x + step, a: a, b: b, c: c}, draws)
    let better = seen.bound > best.bound
    next best = map(|new, old| select(better, new, old), seen, best)

    let new = _further(m, parts, x, h, g, step)
    // One pair of differences, scaled so that their product is 1: the update does not care.
    let (ds, dy) = (new.x - x, g - new.g)
    let product = dot(ds, dy)
    let valid = new.moved and product > 1e-10 * sqnorm(dy)
    let scale = sqrt(select(valid, product, 1.0))
    let (u, v) = (ds / scale, dy / scale)
    next x = new.x
    next h = new.h
    next g = new.g
    next a = select(valid, _diagonal(a, u, v), a)
    next s = select(valid, concat(s[1..], insert_axis(u, 0)), s)
    next y = select(valid, concat(y[1..], insert_axis(v, 0)), y)
    next moved = new.moved
  }
  let f = end.best
  let inner = eye(d) + f.q @ (f.l - eye(k)) @ f.q.T
  {at: f.at, root: inner * spread(sqrt(f.a), like: inner, axis: 1)}
}

// Of steps from twice the whole to very small the first that goes up far enough and to where it is less steep (Wolfe's
// conditions), or the first that goes up.
fn _further(m, parts, x, h, g, step) {
  let steep = dot(step, g)
  let tried = for i in 0..16 {
    let t = exp2(1.0 - real(i))
    let to = x + t * step
    let (up, slope) = _slope(m, parts, to)
    let ok = is_finite(up) and all(is_finite(slope)) and up > h and up >= h + 1e-4 * t * steep
    {x: to, h: up, g: slope, rank: if ok { if abs(dot(slope, step)) <= 0.9 * steep { 2.0 } else { 1.0 } } else { 0.0 }}
  }
  let i = argmax(tried.rank)
  let moved = tried.rank[i] > 0.0
  {
    x: select(moved, tried.x[i], x),
    h: select(moved, tried.h[i], h),
    g: select(moved, tried.g[i], g),
    moved: moved,
  }
}

// The diagonal after a pair s, y with s . y = 1 (Gilbert and Lemarechal 1989; equation 11 of Zhang et al.).
fn _diagonal(a, s, y) {
  let (along, across) = (dot(y, a * y), dot(s, s / a))
  let inverse = along / a + y * y - along * square(s / a) / across
  select(inverse > 0.0, 1.0 / max(inverse, 1e-30), a)
}

// b and c of the inverse curvature diag(a) + b @ c @ b.T, from pairs in the rows of s and y, the oldest first. Those
// that are not there yet are 0, and count for nothing.
fn _inverse(a, s, y) {
  let n = len(s)
  let products = s @ y.T
  let there = diagonal(products)
  let e = solve_triangular(triu(products) + diag(select(there > 0.0, 0.0, 1.0)), eye(n), lower: false)
  let scaled = for row in y { a * row }
  let inner = e.T @ (diag(there) + y @ scaled.T) @ e
  let top = concat(zeros(n, n), -e, axis: 1)
  let bottom = concat(-e.T, inner, axis: 1)
  (concat(scaled.T, s.T, axis: 1), concat(top, bottom))
}

// The normal distribution with a mean and an inverse curvature, and its bound by draws (algorithm 4 of Zhang et al.).
fn _bound(m, parts, f, draws) {
  let d = len(f.a)
  let root = sqrt(f.a)
  let scaled = f.b / spread(root, like: f.b, axis: 1)
  let (q, r) = if d >= shape(f.b)[1] { qr(scaled) } else { (eye(d), scaled) }
  let k = shape(q)[1]
  let l = cholesky(eye(k) + r @ f.c @ r.T)
  let log_scale = 0.5 * sum(log(f.a)) + sum(log(diagonal(l)))
  let bounds = for i in 0..draws {
    let u = randn([d])
    let x = f.at + root * (u + q @ ((l - eye(k)) @ (u @ q)))
    height(m, parts, x) + 0.5 * sqnorm(u) + log_scale + 0.5 * real(d) * log(2.0 * pi)
  }
  let bound = mean(bounds)
  {bound: select(is_finite(bound), bound, -inf), at: f.at, a: f.a, q: q, l: l}
}
