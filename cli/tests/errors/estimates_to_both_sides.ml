// A guide that is drawn from, and then scored anew: what comes of it is no bound.
use std.dist.normal
use std.inference.{marginal, importance}
use std.vi.{elbo, forward_kl}

param s = 1.0

model target() { x ~ normal(0.0, 1.0) }

model joint() {
  u ~ normal(0.0, 1.0) via reparam
  x ~ normal(u, s) via reparam
}

model back() { u ~ normal(0.0, 1.0) via reparam }

let guide = marginal(joint(), keep: [.x], with: importance(|_| back(), n: 4))

fn scored_anew(p, q) = expect {
  let (t, _) = sample(q)
  logdensity(p, t) - logdensity(q, t)
}

fn importance_weighted(p, q, n) = expect {
  logmeanexp(for i in 0..n {
    let (t, lp) = sample(p)
    lp - logdensity(q, t) + logdensity(p, t)
  })
}

test "both estimated" { assert is_finite(scored_anew(guide, guide)) }
test "in a nonlinear function" { assert is_finite(importance_weighted(guide, target(), 4)) }
test "a lower bound and an upper one" {
  assert is_finite(grad(elbo(guide, target()) + forward_kl(guide, target()), wrt: s))
}
