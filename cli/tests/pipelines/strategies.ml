// Estimators, alone and together, against exact values. Tolerances are six standard errors or more at fixed seeds, so a right
// implementation fails with a probability below 1e-8. What is exact is compared to rounding.

precision f64

use std.dist.{normal, bernoulli}
use std.estimators.{reparam, reinforce, enumerate, enumerate_top, mvd, average, leave_one_out, antithetic, quasi, rebar, relax, arm, straight_through, gumbel_softmax}

fn f(p, q, a, b) = expect {
  x ~ bernoulli(p) via a
  y ~ bernoulli(q * (0.5 + 0.5 * x)) via b
  3.0 * x + 2.0 * y + x * y
}

/// Of the value, and of its derivatives by p and q: 3 p + (2 + x) y, with y = q where x is 1, else q / 2.
fn exact(p, q) = [3.0 * p + 2.0 * p * q + q, 3.0 + 2.0 * q, 2.0 * p + 1.0]

fn estimated(p, q, a, b) {
  let v = mean(for i in 0..20000 { f(p, q, a, b) })
  let (x, y) = (grad(v, wrt: p), grad(v, wrt: q))
  [v, x, y]
}

let pairs = [
  (enumerate, reinforce),
  (mvd, enumerate),
  (reinforce, mvd),
  (mvd, mvd),
  (arm, enumerate),
  (average(n: 4, inner: reinforce(baseline: leave_one_out)), enumerate),
  (enumerate_top(n: 1), mvd),
  (rebar, reinforce),
  (quasi(n: 4, inner: reinforce), mvd),
  (antithetic(inner: mvd), reinforce),
  (relax(control: |z| 2.0 * sigmoid(z)), arm),
]

test "strategies agree, whatever stands at the other site" {
  let (p, q) = (0.3, 0.6)
  assert sum(abs(estimated(p, q, enumerate, enumerate) - exact(p, q))) < 1e-10
  let errors = for (a, b) in pairs { estimated(p, q, a, b) - exact(p, q) }
  assert max(abs(errors)) < 0.25
}

fn plate(ps, a) {
  let v = mean(for i in 0..4000 { expect { sum(for p in ps { z ~ bernoulli(p) via a; z * (1.0 + stop(p)) }) } })
  (v, grad(v, wrt: ps))
}

test "lanes that meet in a sum are estimated each with its share" {
  let ps = [0.1, 0.5, 0.7]
  let (v, g) = plate(ps, enumerate)
  assert close(v, sum(ps * (1.0 + ps)), 1e-12)
  assert sum(abs(g - 1.0 - ps)) < 1e-12
  // The measure-valued derivative of a coin's share is exact, too: no other lane adds to it.
  let (w, h) = plate(ps, mvd)
  assert close(w, sum(ps * (1.0 + ps)), 0.1)
  assert sum(abs(h - 1.0 - ps)) < 1e-10
}

test "a plate of a thousand coins is enumerated in two thousand terms" {
  let ps = for i in 0..1000 { (real(i) + 0.5) / 1000.0 }
  assert close(expect { sum(for p in ps { z ~ bernoulli(p) via enumerate; z }) }, 500.0, 1e-8)
}

fn mixing(ps, a) {
  let v = mean(for i in 0..8000 { expect { square(sum(for p in ps { z ~ bernoulli(p) via a; z })) } })
  (v, grad(v, wrt: ps))
}

test "lanes that mix are estimated one after another" {
  let ps = [0.1, 0.5, 0.7]
  // E (sum z)^2 = sum p + 2 sum over i < j of p_i p_j
  let slope = 1.0 + 2.0 * (sum(ps) - ps)
  let (v, g) = mixing(ps, enumerate)
  assert close(v, 1.3 + 2.0 * (0.05 + 0.07 + 0.35), 1e-10)
  assert sum(abs(g - slope)) < 1e-10
  let (_, h) = mixing(ps, mvd)
  assert sum(abs(h - slope)) < 0.3
  let (_, l) = mixing(ps, reinforce)
  assert sum(abs(l - slope)) < 0.6
}

test "what a site cannot influence multiplies no score" {
  let p = 0.4
  // The variance of the score alone would be 1e6 / (p (1 - p)) a draw.
  let g = for i in 0..1000 { grad(expect { z ~ bernoulli(p) via reinforce; z + 1000.0 * normal(0.0, 1.0).sample() }, wrt: p) }
  assert close(mean(g), 1.0, 0.3)
  assert std(g) < 3.0
}

test "exact strategies and the score are right at second order" {
  let p = 0.3
  let e = expect { x ~ bernoulli(p) via enumerate; y ~ bernoulli(p * p) via enumerate; x * y }
  assert close(grad(grad(e, wrt: p), wrt: p), 6.0 * p, 1e-10)
  let m = mean(for i in 0..40000 { expect { x ~ bernoulli(p) via mvd(order: 2); y ~ bernoulli(p * p) via mvd(order: 2); x * y } })
  assert close(grad(grad(m, wrt: p), wrt: p), 6.0 * p, 0.2)
  let h = mean(for i in 0..40000 { expect { scan (c = 0.0) for t in 0..2 { x ~ normal(p, 1.0) via reinforce; next c = c + x * x } } })
  assert close(grad(grad(h, wrt: p), wrt: p), 4.0, 0.8)
}

// A walk x' = a x + s e, with the costs of all steps: its moments are known.
fn walk(a, s, strategy) = expect {
  let (x, costs) = scan (x = 1.0) for t in 0..4 {
    z ~ normal(a * x, s) via strategy
    next x = z
    yield z * z
  }
  sum(costs) + x
}

fn moments(a, s) {
  let (end, costs) = scan (m = 1.0, v = 0.0) for t in 0..4 {
    let spread = a * a * v + s * s
    next m = a * m
    next v = spread
    yield spread + square(a * m)
  }
  sum(costs) + end.m
}

fn walked(a, s, strategy) {
  let v = mean(for i in 0..40000 { walk(a, s, strategy) })
  let (x, y) = (grad(v, wrt: a), grad(v, wrt: s))
  [v, x, y]
}

test "sites of a loop: paths, and scores along it" {
  let (a, s) = (0.8, 0.5)
  let e = moments(a, s)
  let want = [e, grad(e, wrt: a), grad(e, wrt: s)]
  assert max(abs(walked(a, s, reparam) - want)) < 0.4
  assert max(abs(walked(a, s, reinforce) - want)) < 1.4
  assert max(abs(walked(a, s, reinforce(baseline: 2.0)) - want)) < 1.4
}

test "a site of a loop without a strategy takes one that is valid there" {
  let p = 0.4
  // With k ones the carry is 2^k - 1, so its mean is (1 + p)^3 - 1.
  let v = mean(for i in 0..40000 { expect { scan (c = 0.0) for t in 0..3 { b ~ bernoulli(p); next c = c + b * (1.0 + c) } } })
  assert close(v, 1.4^3 - 1.0, 0.06)
  assert close(grad(v, wrt: p), 3.0 * 1.4^2, 0.3)
  let m = 0.2
  // A comparison in the loop, and one behind it: 2 densities of a normal at -0.2, and one of variance 2 at -0.4.
  let w = mean(for i in 0..40000 { expect { scan (c = 0.0) for t in 0..2 { x ~ normal(m, 1.0); next c = c + if x > 0.0 { 1.0 } else { 0.0 } } } })
  assert close(grad(w, wrt: m), 2.0 * 0.391, 0.1)
  let u = mean(for i in 0..40000 { expect { let c = scan (c = 0.0) for t in 0..2 { x ~ normal(m, 1.0); next c = c + x }; if c > 0.0 { 1.0 } else { 0.0 } } })
  assert close(grad(u, wrt: m), 2.0 * exp(-0.04) / sqrt(4.0 * pi), 0.1)
}

test "loops in plates, and plates in loops" {
  let m = 0.3
  let v = mean(for i in 0..20000 { expect { sum(for j in 0..3 { scan (c = 0.0) for t in 0..2 { x ~ normal(m, 1.0) via reinforce; next c = c + x * x } }) } })
  assert close(grad(v, wrt: m), 3.6, 0.8)
  let w = mean(for i in 0..20000 { expect { scan (c = 0.0) for t in 0..2 { next c = c + sum(for j in 0..3 { x ~ normal(m, 1.0) via reinforce; x * x }) } } })
  assert close(grad(w, wrt: m), 3.6, 0.8)
}

test "one takes responsibility for smoothness" {
  let m = 0.0
  let g = grad(expect { x ~ normal(m, 1.0) via reparam; x + assume_smooth(if x > 100.0 { 1.0 } else { 0.0 }) }, wrt: m)
  assert close(g, 1.0, 1e-12)
}

test "biased estimators say so" {
  let p = 0.3
  let v = mean(for i in 0..20000 { expect { x ~ bernoulli(p) via biased straight_through; 2.0 * x } })
  assert close(grad(v, wrt: p), 2.0, 1e-10)
  let w = grad(mean(for i in 0..2000 { expect { x ~ bernoulli(p) via biased gumbel_softmax(temperature: 0.2); 2.0 * x } }), wrt: p)
  assert close(w, 2.0, 0.6)
}
