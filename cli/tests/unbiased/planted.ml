// The suite finds what is wrong: each of these is an estimator of the library, and where `slip` is not 1 with one wrong factor. A
// slip of 1.25 is caught with a probability of at least 1 - 1e-9, and without one nothing is.

precision f64

use integrands.{agree, drawn, drawn_biased, exact, moved, between, counted}
use strategies as s
use std.estimators as library
use std.estimators.{less, leave_one_out, coupled}
use std.dist.{normal, bernoulli, categorical, relaxed_bernoulli}

estimator reparam(d, k, slip) where smooth(k), reparameterised(d) {
  let x = d.transform(stop(d.noise()))
  k(stop(x) + slip * tangent(x))
}

estimator reinforce(d, k, slip, baseline = 0.0) where scored(d) {
  let x = stop(d.sample())
  let cost = k(x)
  let b = if is_function(baseline) { free_of(baseline(cost), x) } else { free_of(baseline, x) }
  (cost - b) * exp(slip * tangent(d.logpdf(x))) + b
}

estimator enumerate(d, k, slip) where finite(d) {
  sum(for x in d.support() { exp(stop(d.logpdf(x)) + slip * tangent(d.logpdf(x))) * k(x) }, axis: 0)
}

estimator enumerate_top(d, k, slip) where finite(d) {
  let points = d.support()
  let lps = for x in points { d.logpdf(x) }
  let best = argsort(-stop(lps))
  let others = take(best, 1..size(points, axis: 0))
  let exact = sum(for i in take(best, 0..1) { exp(lps[i]) * k(points[i]) }, axis: 0)
  let rest = logsumexp(for i in others { lps[i] })
  let drawn = others[argmax(for i in others { stop(lps[i]) - log(-log(rand())) })]
  exact + slip * exp(rest) * k(points[drawn]) * exp(tangent(lps[drawn] - rest))
}

estimator mvd(d, k, slip) where measure_valued(d), order less(1, d.mvd_order()) {
  k(stop(d.sample())) + sum(for (theta, c, plus, minus) in d.mvd() { slip * c * (k(plus) - k(minus)) * tangent(theta) }, axis: 0)
}

estimator average(d, k, slip, inner) { slip * mean(for i in 0..3 { inner(d, k) }, axis: 0) }

estimator antithetic(d, k, slip, inner) where d.quantile {
  let u = rand(shape(d.sample()))
  0.5 * slip * (inner(coupled(d, u), k) + inner(coupled(d, 1.0 - u), k))
}

estimator quasi(d, k, slip, inner) where d.quantile {
  let u = rand(shape(d.sample()))
  mean(
    for i in 0..3 {
      let v = u + (real(i) + 0.0) / 3.0
      slip * inner(coupled(d, v - floor(v)), k)
    },
    axis: 0
  )
}

estimator rebar(d, k, slip, temperature = 0.5) where smooth(k), scored(d), d.relaxed, d.relaxed_given {
  let u = rand(shape(d.sample()))
  let z = d.relaxed(stop(u))
  let x = stop(d.harden(z))
  let again = d.relaxed_given(x, stop(rand(shape(u))))
  let control = k(d.soften(again, temperature))
  (k(x) - control) * exp(slip * tangent(d.logpdf(x))) + k(d.soften(z, temperature))
}

estimator relax(d, k, slip, control) where scored(d), d.relaxed, d.relaxed_given {
  let u = rand(shape(d.sample()))
  let z = d.relaxed(stop(u))
  let x = stop(d.harden(z))
  let again = d.relaxed_given(x, stop(rand(shape(u))))
  (k(x) - control(again)) * exp(slip * tangent(d.logpdf(x))) + control(z)
}

estimator arm(d, k, slip) where d.logit, order 1 {
  let logit = d.logit()
  let u = stop(rand(shape(logit)))
  let p = stop(sigmoid(logit))
  let x = stop(real(u < p))
  k(x) + slip * (k(stop(real(u > 1.0 - p))) - k(x)) * (u - 0.5) * tangent(logit)
}

biased estimator straight_through(d, k, slip) where smooth(k), d.mean {
  k(stop(d.sample()) + slip * tangent(d.mean()))
}

biased estimator gumbel_softmax(d, k, slip, temperature = 0.5) where smooth(k), d.relaxed {
  let y = d.soften(d.relaxed(stop(rand(shape(d.sample())))), temperature)
  k(stop(y) + slip * tangent(y))
}

fn off(x) = x - 0.6
fn line(t) = between(0.6)
fn two(t) = counted(2)

fn bell(t) = normal(t[0], t[1])
fn coin(t) = bernoulli(t[0])

/// Is `planted(slip: ..)` unbiased without a slip, and found to be biased with one, too large or too small?
fn found(planted, make, at, grid) {
  let truth = exact(make, at, grid, off)
  fn tried(slip) = agree(|i| drawn(make, at, off, planted(slip: slip)), truth)
  tried(1.0).holds and tried(1.25).biased and tried(0.75).biased
}

fn found_biased(planted, truth) {
  fn tried(slip) = agree(|i| drawn_biased(coin, [0.3], off, planted(slip: slip)), truth)
  tried(1.0).holds and tried(1.25).biased and tried(0.75).biased
}

test "each slip is found" {
  assert found(reparam, bell, [0.4, 1.3], line)
  assert found(reinforce, bell, [0.4, 1.3], line) and found(reinforce, coin, [0.3], two)
  assert found(reinforce(baseline: 0.2), bell, [0.4, 1.3], line)
  assert found(enumerate, coin, [0.3], two)
  assert found(enumerate_top, coin, [0.3], two)
  assert found(mvd, bell, [0.4, 1.3], line) and found(mvd, coin, [0.3], two)
  assert found(average(inner: s.reinforce), bell, [0.4, 1.3], line)
  assert found(antithetic(inner: s.reinforce), bell, [0.4, 1.3], line)
  assert found(antithetic(inner: s.reparam), bell, [0.4, 1.3], line)
  assert found(quasi(inner: s.reinforce), bell, [0.4, 1.3], line)
  assert found(quasi(inner: s.reparam), bell, [0.4, 1.3], line)
  assert found(rebar, coin, [0.3], two)
  assert found(relax(control: |z| tanh(z)), coin, [0.3], two)
  assert found(arm, coin, [0.3], two)
}

test "a slip inside another estimator is found" {
  let inner = reinforce(slip: 1.25)
  let truth = exact(bell, [0.4, 1.3], line, off)
  assert agree(|i| drawn(bell, [0.4, 1.3], off, library.average(n: 2, inner: inner)), truth).biased
  assert agree(|i| drawn(bell, [0.4, 1.3], off, library.antithetic(inner: inner)), truth).biased
}

// It stands for another estimator, so that the slip is one of the whole.
test "a slip beside auto is found" {
  let truth = exact(coin, [0.3], two, off)
  assert agree(|i| 1.25 * drawn(coin, [0.3], off, s.auto), truth).biased
}

test "what is biased is found to be, and a slip besides its bias" {
  assert found_biased(straight_through, moved(coin, [0.3], two, off, |t| t[0]))
  fn soft(t) = relaxed_bernoulli(0.5, p: t[0])
  assert found_biased(gumbel_softmax, exact(soft, [0.3], |t| between(0.6, low: 0.0, high: 1.0), off))
  let truth = exact(coin, [0.3], two, off)
  assert agree(|i| drawn_biased(coin, [0.3], off, s.straight_through), truth).biased
  assert agree(|i| drawn_biased(coin, [0.3], off, s.gumbel_softmax), truth).biased
}
