// What is affine in estimates may be differentiated, and the marks change no value.
use std.dist.normal
use std.optim.{sgd, adam}

param m = 0.5
param w = 1.0

dist coin(p in unit) on unit {
  logpdf(x) = log(if x > 0.5 { p } else { 1.0 - p })
  sample() = real(rand() < p)
  support() = [0.0, 1.0]
}

estimator enumerate(d, k) where finite(d) {
  sum(for x in d.support() { exp(d.logpdf(x)) * k(x) })
}

fn second() = expect {
  x ~ normal(m, 1.0)
  x * x
}

fn first() = expect {
  x ~ normal(w, 1.0)
  x
}

test "sums, scaling, products of separate draws" {
  let (a, b) = (second(), first())
  assert close(grad(3.0 * a + m * m - b / 2.0, wrt: m), 3.0 * grad(a, wrt: m) + 2.0 * m, 1e-5)
  assert close(grad(a * b, wrt: m), b * grad(a, wrt: m), 1e-5)
  assert close(grad(a * second(), wrt: w), 0.0, 0.0)
  assert is_finite(grad(mean(for i in 0..4 { second() }), wrt: m))
  assert is_finite(grad(solve([[2.0, 1.0], [1.0, 3.0]], stack([a, b]))[0], wrt: m))
  assert is_finite(grad(select(m > 0.0, a, -a), wrt: m))
}

test "derivatives of every kind" {
  let e = second()
  assert close(jvp(e / 2.0, wrt: m, along: 2.0), grad(e, wrt: m), 1e-5)
  assert close(hvp(e, wrt: m, along: 1.0), 2.0, 1e-5)
  assert close(hessian(e, wrt: m), 2.0, 1e-5)
  assert close(grad(grad(e, wrt: m), wrt: m), 2.0, 1e-5)
}

test "an iteration's draws are its own" {
  let p = scan (p = 1.0) for i in 0..3 { next p = p * second() }
  assert is_finite(grad(p, wrt: m))
  let (_, rows) = scan (s = 0.0) for i in 0..3 {
    next s = s + second()
    yield 2.0 * s
  }
  assert is_finite(grad(sum(rows), wrt: m))
}

test "plug_in" {
  let e = second()
  assert close(grad(log(plug_in(e)), wrt: m), grad(e, wrt: m) / e, 1e-5)
  assert close(jvp(log(plug_in(e)), wrt: m, along: 1.0), grad(e, wrt: m) / e, 1e-5)
  let g = grad(e, wrt: m)
  assert close(grad(sqnorm(plug_in(g)), wrt: m), 4.0 * g, 1e-4)
}

test "what draws nothing is exact" {
  let e = expect {
    x ~ coin(0.25) via enumerate
    m * x + 1.0
  }
  assert close(grad(log(e), wrt: m), 0.25 / (0.25 * m + 1.0), 1e-5)
}

test "at a point that is an estimate itself" {
  let x = second()
  assert close(grad(x^3, wrt: x), 3.0 * x * x, 1e-4)
}

// An optimizer may do with a gradient what it likes.
stage fit = train for 300 steps {
  minimize second() over m using adam(lr: 0.05)
}

stage plain = train for 3 steps {
  update m by 2.0 * grad(second(), wrt: m) using sgd(lr: 0.1)
  log both = log(second())
}

test "updates" {
  assert abs(fit.m) < 0.5
  assert is_finite(plain.m)
}
