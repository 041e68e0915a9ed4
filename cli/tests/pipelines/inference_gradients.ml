// Derivatives through guides that are marginal or normalized, against exact ones.
// slow by the interpreter

precision f64
use std.dist.{normal, bernoulli, uniform}
use std.inference.{marginal, normalize, log_evidence, importance, sir, smc, enumeration, quadrature}
use std.vi.{elbo, iwelbo, hvi, iwhvi, diwhvi}
use std.testing.unbiased
dist flip(p) on unit {
  logpdf(x) = log(if x > 0.5 { p } else { 1.0 - p })
  sample() = real(rand() < p)
  support() = [0.0, 1.0]
}

// E_q[log p - log q] for q a mixture; by quadrature.
test "guide with a summed site" {
  fn mix(w, m) = (|x| logsumexp(stack([log(w) + normal(m, 1.0).logpdf(x), log(1.0 - w) + normal(-1.0, 0.7).logpdf(x)])))
  fn p_of(x) = normal(0.5, 2.0).logpdf(x)
  model p() { x ~ normal(0.5, 2.0) }
  fn bound(w, m) {
    model q() {
      s ~ flip(w)
      x ~ normal(if s > 0.5 { m } else { -1.0 }, if s > 0.5 { 1.0 } else { 0.7 })
    }
    elbo(p(), marginal(q(), sum: .s))
  }
  fn exact(w, m) {
    let d = mix(w, m)
    let xs = linspace(-12.0, 12.0, 4001)
    sum(for x in xs { exp(d(x)) * (p_of(x) - d(x)) }) * 24.0 / 4000.0
  }
  let (w, m) = (0.3, 1.5)
  assert unbiased(|_| grad(bound(w, m), wrt: w), truth: grad(exact(w, m), wrt: w))
  assert unbiased(|_| grad(bound(w, m), wrt: m), truth: grad(exact(w, m), wrt: m), scale: 1.0)
  assert unbiased(|_| bound(w, m), truth: exact(w, m), scale: 1.0)
}

test "guide by sir" {
  // A finite model, so that all is known: the law of what sir takes by enumeration of both particles.
  model target() {
    a ~ flip(0.3)
    factor 1.5 * a
  }
  fn bound(w) {
    model q() { a ~ flip(w) }
    elbo(target(), normalize(target(), with: sir(q(), n: 2)))
  }
  fn lp(a) = flip(0.3).logpdf(a) + 1.5 * a
  fn exact(w) = sum(for a in [0.0, 1.0], b in [0.0, 1.0] {
    let (wa, wb) = (lp(a) - flip(w).logpdf(a), lp(b) - flip(w).logpdf(b))
    // log p(t_j) - (log p(t_j) - logmeanexp)
    exp(flip(w).logpdf(a) + flip(w).logpdf(b)) * logmeanexp(stack([wa, wb]))
  })
  let w = 0.6
  assert unbiased(|_| bound(w), truth: exact(w))
  assert unbiased(|_| grad(bound(w), wrt: w), truth: grad(exact(w), wrt: w), scale: 1.0)
}

test "guide by importance, discrete auxiliary" {
  // u hidden, x kept; r has a parameter too.
  fn bound(w, v) {
    model q() {
      u ~ flip(w)
      x ~ flip(0.2 + 0.5 * u)
    }
    model r(x) { u ~ flip(v * (0.5 + 0.5 * x)) }
    model p() { x ~ flip(0.6) }
    elbo(p(), marginal(q(), keep: [.x], with: importance(|t| r(t.x), n: 2)))
  }
  fn exact(w, v) = sum(for u in [0.0, 1.0], x in [0.0, 1.0], b in [0.0, 1.0] {
    fn lq(u) = flip(w).logpdf(u) + flip(0.2 + 0.5 * u).logpdf(x)
    fn lr(u) = flip(v * (0.5 + 0.5 * x)).logpdf(u)
    exp(lq(u) + lr(b)) * (flip(0.6).logpdf(x) - logmeanexp(stack([lq(u) - lr(u), lq(b) - lr(b)])))
  })
  let (w, v) = (0.35, 0.6)
  assert unbiased(|_| bound(w, v), truth: exact(w, v), scale: 1.0)
  assert unbiased(|_| grad(bound(w, v), wrt: w), truth: grad(exact(w, v), wrt: w))
  assert unbiased(|_| grad(bound(w, v), wrt: v), truth: grad(exact(w, v), wrt: v), scale: 1.0)
}
test "smc gradient" {
  let y = [1.0, 0.0]
  fn bound(w) {
    model target() {
      let (_, all) = scan (c = 0.5) for i in 0..2 {
        s ~ flip(0.3 + 0.3 * c)
        y ~ flip(0.2 + 0.6 * s)
        next c = s
        yield s
      }
    }
    model prop(c) { s ~ flip(w) }
    fn pot(t, last, now, i) = flip(0.2 + 0.6 * now.s).logpdf(y[i]) + flip(0.3 + 0.3 * if i == 0 { 0.5 } else { last.s }).logpdf(now.s)
    let m = target() given {y}
    elbo(m, normalize(m, with: smc(2, propose: |t, last, i| prop(0.0), potential: pot, n: 2)))
  }
  // bound = E[total estimate of log Z].
  fn pot1(s) = flip(0.2 + 0.6 * s).logpdf(1.0) + flip(0.45).logpdf(s)
  fn pot2(l, s) = flip(0.2 + 0.6 * s).logpdf(0.0) + flip(0.3 + 0.3 * l).logpdf(s)
  fn exact(w) = sum(for a in [0.0, 1.0], b in [0.0, 1.0], i in [0, 1], j in [0, 1], c in [0.0, 1.0], d in [0.0, 1.0] {
    let q = |s| flip(w).logpdf(s)
    let ws = stack([pot1(a) - q(a), pot1(b) - q(b)])
    let pick = |k| log_softmax(ws)[k]
    let prev = stack([a, b])
    let vs = stack([pot2(prev[i], c) - q(c), pot2(prev[j], d) - q(d)])
    exp(q(a) + q(b) + q(c) + q(d) + pick(i) + pick(j)) * (logmeanexp(ws) + logmeanexp(vs))
  })
  let w = 0.6
  assert unbiased(|_| bound(w), truth: exact(w))
  assert unbiased(|_| grad(bound(w), wrt: w), truth: grad(exact(w), wrt: w), scale: 1.0)
}
