// Nets that grow by a few units at a time, each few fitted to what is left to explain. `loss(f, y)` is the loss of an output for one row.

/// The hidden units of a layer, tanh(x w + b), times their output weights, for one row.
fn layer(p, x: real[d]) = dot(tanh(x @ p.w + p.b), p.a) + p.c

/// The sum of a list of layers that is stacked along a leading axis, as a single layer of all their units.
fn joined(ps) = {
  w: reshape(moveaxis(ps.w, 0, 1), shape(ps.w)[1], -1),
  b: reshape(ps.b, -1),
  a: reshape(ps.a, -1),
  c: sum(ps.c),
}

/// The scale by which `h` is best added to outputs `f`: a Newton step on the total loss from 0, exact for squares.
fn line_search(loss, y: real[n], f: real[n], h: real[n]) {
  let rho = 0.0
  let total = mean(for (a, b, t) in (f, h, y) { loss(a + rho * b, t) })
  let slope = grad(total, wrt: rho)
  -slope / max(grad(slope, wrt: rho), 1e-12)
}

/// The constant output whose total loss is least, by Newton's method.
fn best_constant(loss, y: real[n]) = scan (c = 0.0) for i in 0..20 { next c = c + line_search(loss, y, c * ones(n), ones(n)) }

/// A layer of `units` fitted to numbers `r` by least squares: `steps` steps of an optimizer from random weights.
fn fitted_layer(x: real[n, d], r: real[n], units, optimizer, steps) {
  let first = {w: randn([d, units]) / sqrt(real(d)), b: 0.5 * randn([units]), a: 0.1 * randn([units]), c: 0.0}
  let end = scan (p = first, s = optimizer.start(first)) for i in 0..steps {
    let g = grad(mean(for (v, t) in (x, r) { (layer(p, v) - t)^2 }), wrt: p)
    next (p, s) = optimizer.step(p, g, s)
  }
  end.p
}

/// Gradient boosting of nets (Emami and Martinez-Munoz 2019, GBNN, algorithm 1): `stages` times, a layer of `units` is fitted to the
/// negative gradients of the loss by the outputs, scaled by a line search times `nu`, and added. {start, layers, fitted, share}: `layers`
/// are stacked along a leading axis and have their scales in `a` and `c`; `fitted` has the outputs for x after each stage.
fn boosted(loss, x: real[n, d], y: real[n], stages, units, optimizer, nu = 0.5, steps = 300) {
  let start = best_constant(loss, y)
  let (_, grown) = scan (f = start * ones(n)) for t in 0..stages {
    let r = for (a, b) in (f, y) { -grad(loss(a, b), wrt: a) }
    let p = fitted_layer(x, r, units, optimizer, steps)
    let h = for v in x { layer(p, v) }
    let rho = nu * line_search(loss, y, f, h)
    let after = f + rho * h
    next f = after
    yield {p: {w: p.w, b: p.b, a: rho * p.a, c: rho * p.c}, f: after}
  }
  {start: start, layers: grown.p, fitted: grown.f}
}

/// Outputs for rows `x` after each stage, an axis of stages first.
fn staged(net, x: real[n, d]) = net .start + cumsum(for p in net .layers { for v in x { layer(p, v) } }, axis: 0)
