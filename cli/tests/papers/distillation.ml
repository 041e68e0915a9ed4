// std.distillation. Covered by examples/papers/f_distill.ml: `draw_weight` of every divergence, and that derivatives by `f_distill` are
// those of the divergence.
precision f64

use std.distillation.{
  reverse_kl, forward_kl, jensen_shannon, squared_hellinger, softened_reverse_kl, draw_weight, f_distill, by_weight, balanced,
}

let kinds = [reverse_kl, forward_kl, jensen_shannon, squared_hellinger, softened_reverse_kl]
let p = [0.2, 0.5, 0.3]
let q = [0.4, 0.4, 0.2]

fn divergence(f) = sum(for (a, b) in (p, q) { b * f(a / b) })
fn kl(a, b) = sum(a * log(a / b))

test "divergences" {
  assert close(for f in kinds { f(1.0) }, zeros(5), 1e-12)
  assert all((for f in kinds { divergence(f) }) > 0.0)
  let m = 0.5 * (p + q)
  assert close(divergence(reverse_kl), kl(q, p), 1e-12) and close(divergence(forward_kl), kl(p, q), 1e-12)
  assert close(divergence(jensen_shannon), kl(p, m) + kl(q, m), 1e-12)
  assert close(divergence(squared_hellinger), 0.5 * sum(square(sqrt(p) - sqrt(q))), 1e-12)
  assert close(divergence(softened_reverse_kl), 2.0 * kl(m, p), 1e-12)
}

test "the derivative by a draw" {
  let x = [1.0, 2.0]
  let (s, t) = ([0.5, -1.0], [0.1, 0.3])
  assert close(grad(by_weight(x, s, t, 3.0), wrt: x), -3.0 * (s - t), 1e-12)
  let r = 1.7
  let errors = for f in kinds { norm(grad(f_distill(f, x, s, t, log(r)), wrt: x) + draw_weight(f, r) * (s - t)) }
  assert max(errors) < 1e-9
  // Where the scores agree there is nothing to learn.
  assert close(grad(f_distill(forward_kl, x, s, s, 0.3), wrt: x), zeros(2), 0.0)
  // Ratios are kept within the limit.
  assert close(grad(f_distill(forward_kl, x, s, t, 50.0, limit: 2.0), wrt: x), -exp(2.0) * (s - t), 1e-9)
}

test "balanced weights" { assert close(balanced([1.0, 2.0, 3.0]), [0.5, 1.0, 1.5], 1e-12) }
