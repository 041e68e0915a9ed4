// Objectives that need exact densities, and models whose densities are only estimated.
use std.dist.normal
use std.inference.{marginal, normalize, log_evidence, importance, sir, enumeration, quadrature}
use std.vi.{sticking, dreg, vimco, rws, fisher, score_matching, tail_adaptive, eubo, tvo, beta_elbo}

param s = 1.0

model target() { x ~ normal(0.0, 1.0) }

model joint() {
  u ~ normal(0.0, 1.0) via reparam
  x ~ normal(u, s) via reparam
}

model back() { u ~ normal(0.0, 1.0) via reparam }

let guide = marginal(joint(), keep: [.x], with: importance(|_| back(), n: 4))

model around() { inner ~ guide }

test "no score" { assert is_finite(sticking(target(), guide)) }
test "no second estimate" { assert is_finite(dreg(guide, target(), 2)) }
test "no weights" { assert is_finite(vimco(target(), guide, 2)) }
test "no slope" { assert is_finite(fisher(target(), guide)) }
test "none of data" { assert is_finite(score_matching(guide, {x: 0.3})) }
test "no tail" { assert is_finite(tail_adaptive(target(), guide, 4)) }
test "not within a model" { assert is_finite(rws(around() given {inner: {x: 0.0}}, around(), 2)) }
test "no upper bound" { assert is_finite(eubo(guide, target(), target())) }
test "no powers" { assert is_finite(tvo(target(), guide, [0.0, 1.0], 2)) }
test "no prior to take out" { assert is_finite(beta_elbo(target(), target(), guide, 2.0)) }
test "no logarithm" { assert is_finite(log_evidence(guide, with: quadrature(4, low: -5.0, high: 5.0))) }
test "none to divide by" { assert is_finite(logdensity(normalize(guide, with: quadrature(4, low: -5.0, high: 5.0)), {x: 0.0})) }
