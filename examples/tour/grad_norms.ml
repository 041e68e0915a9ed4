// Norms of the gradients of single examples: `for` over `grad` of a net, as wide as the batch. Small in the mean and
// large for a few says which examples a net still learns from. Runs in a moment.

use std.nn.mlp
use std.optim.adam

data cancer = csv("../data/breast_cancer.csv")
let raw = stack(cancer.except{benign})
let centre = mean(raw, axis: 0)
let scale = std(raw, axis: 0)
let rows = {x: for r in raw { (r - centre) / scale }, y: real(cancer.benign)}

net score = mlp([30, 16, 1])
param w = full(0.1, 30)
param b = 0.2

/// The cross entropy of an example.
fn loss(r) {
  let z = score(r.x)[0]
  softplus(z) - r.y * z
}

fn norms(t) = for r in t { norm(grad(loss(r), wrt: score)) }

stage fit = train t in rows.shuffle().batch(64) for 40 epochs {
  minimize mean(for r in t { loss(r) }) over score using adam(lr: 3e-3)
  every 5 epochs {
    let n = norms(rows)
    log loss = mean(for r in rows { loss(r) }), mean_norm = mean(n), median_norm = median(n), largest_norm = max(n)
  }
}

test "all at once and one by one" {
  let some = {x: rows.x[0..6], y: rows.y[0..6]}
  let single = for i in list(0..6) {
    let (x, y) = (rows.x[i], rows.y[i])
    norm(grad(loss({x, y}), wrt: score))
  }
  assert close(norms(some), single, 1e-6)
  let g = mean(for r in some { grad(loss(r), wrt: score) }, axis: 0)
  let whole = grad(mean(for r in some { loss(r) }), wrt: score)
  assert close(norm(g - whole), 0.0, 1e-6)
}

test "of a linear model, the mean square norm is that of the closed form" {
  // d/d(w, b) of (w x + b - y)^2 / 2 is (w x + b - y) (x, 1).
  let measured = mean(for r in rows { sqnorm(grad(0.5 * (dot(w, r.x) + b - r.y)^2, wrt: (w, b))) })
  let exact = mean(for r in rows { (dot(w, r.x) + b - r.y)^2 * (sqnorm(r.x) + 1.0) })
  assert close(measured, exact, 1e-4 * exact)
}

test "training makes most gradients small" {
  assert fit.log.mean_norm[-1] < fit.log.mean_norm[0]
  assert fit.log.median_norm[-1] < fit.log.mean_norm[-1]
}
