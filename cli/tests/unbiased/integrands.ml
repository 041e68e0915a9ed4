// Every estimator at every distribution that it is valid for, against derivatives that are summed or integrated.
//
// A test of the files beside this one is named after a distribution, and lists the estimators that are tried at it; those
// that are not listed are refused by the compiler, as the test that runs these files makes sure of. A pair is one
// assertion of `unbiased`: it compares the derivatives of three means by all parameters, each in units of its own size. It
// fails of an unbiased estimator, and holds of one that is off by more than `precision`, with a probability of at most
// 1e-9 each; fewer than a thousand are made, so 1e-6 in total.

use std.testing.unbiased
use std.dist.normal
use std.estimators.{straight_through, gumbel_softmax}

/// The integrands, functions of a number `v` and of the parameters `t`: smooth, with a kink at 0, and of the parameters
/// themselves.
let integrands = [
  |v, t| tanh(v),
  |v, t| relu(v) / (1.0 + relu(v)),
  |v, t| (1.5 + tanh(v)) * sum(sin(t) + t),
]

/// Places and weights of an integral over a support. What is integrated falls off like exp(-exp(|s|)) in s, so the error of
/// the trapezoid rule is that of rounding.
fn half(on) {
  let s = linspace(-12.0, 12.0, 601)
  let t = sinh(s)
  let w = cosh(s) * (24.0 / 600.0)
  let x = for v in t { on .constrain(v) }
  (x, for (v, u) in (t, w) { u * exp(on .log_jacobian(v)) })
}

/// Of an integral between two ends, with a kink at `c`: a rule for each side of it. Ends that move with the parameters carry
/// the places along.
fn between(c, low = none, high = none) {
  let (x, u) = half(interval(low, c))
  let (y, v) = half(interval(c, high))
  (concat(x, y), concat(u, v))
}

/// Of a sum over the whole numbers from 0; those from `n` on have no part in it.
fn counted(n) = (real(iota(n)), ones(n))

/// The derivatives of the means of the integrands by the parameters, for numbers with the distribution `law`.
fn exact(law, at, grid, number) {
  let (x, w) = grid(at)
  let p = for (v, u) in (x, w) { u * mass(law(at), v) }
  for f in integrands { grad(sum(for (v, u) in (x, p) { u * f(number(v), at) }), wrt: at) }
}

/// The density; 0 where it is 0 in this precision, so that it has no part in a derivative.
fn mass(d, x) = if stop(d.logpdf(x)) > -700.0 { exp(d.logpdf(x)) } else { 0.0 }

/// The derivatives that `straight_through` is to give: those of the integrands, each at a number that moves as the mean does.
fn moved(law, at, grid, number, mean) {
  let (x, w) = stop(grid(at))
  let p = stop(for (v, u) in (x, w) { u * mass(law(at), v) })
  for f in integrands { grad(sum(for (v, u) in (x, p) { u * f(number(v + tangent(mean(at))), at) }), wrt: at) }
}

/// The derivatives of the means, estimated once.
fn drawn(make, at, number, strategy) =
  for f in integrands { grad(expect { x ~ make(at) via strategy; f(number(x), at) }, wrt: at) }

/// The same by a strategy that says it is biased.
fn drawn_biased(make, at, number, strategy) =
  for f in integrands { grad(expect { x ~ make(at) via biased strategy; f(number(x), at) }, wrt: at) }

/// Are draws of derivatives without bias, each in units of its size?
fn agree(draw, truth, precision = 0.12) {
  let size = max(abs(truth), 0.2 * max(abs(truth)))
  unbiased(|i| draw(i) / size, truth: truth / size, scale: 1.0, precision: precision)
}

/// Is each strategy unbiased at a site with the distribution `make(at)`? `see` makes a number of a draw, whose distribution
/// is `law(at)`; `of` one that the integrands are of, on their scale, with the kink where it is 0.
fn unbiased_at(make, at, strategies, grid, law = none, see = |x| x, of = |v| v - 0.5) {
  let truth = exact(if provided(law) { law } else { make }, at, grid, of)
  let tried = for strategy in strategies {
    agree(|i| drawn(make, at, |x| of(see(x)), strategy), truth)
  }
  {..tried, holds: all(tried.holds)}
}

/// Has `straight_through` the bias that it is to have? `see` is linear.
fn straight_at(make, at, grid, law = none, see = |x| x, of = |v| v - 0.5) {
  let truth = moved(if provided(law) { law } else { make }, at, grid, of, |t| see(make(t).mean()))
  agree(|i| drawn_biased(make, at, |x| of(see(x)), straight_through), truth)
}

/// Has `gumbel_softmax` the bias that it is to have? `law(at)` is the distribution of a relaxed draw's number.
fn relaxed_at(make, at, grid, law, see = |x| x, of = |v| v - 0.5) =
  agree(|i| drawn_biased(make, at, |x| of(see(x)), gumbel_softmax), exact(law, at, grid, of))

/// Do estimates of derivatives of a mean agree with those of what it is? Both are functions of the parameters.
fn agrees(draw, mean, at) = agree(|i| grad(draw(at), wrt: at), grad(mean(at), wrt: at), precision: 0.15)

/// The mean of f(y) for a normal y, by its mean and standard deviation, as a sum over places that do not move.
fn mean_of(f, mu, sigma) {
  let e = linspace(-8.0, 8.0, 241)
  let (at, by) = (stop(mu), stop(sigma))
  sum(for z in e { by / 15.0 * exp(normal(mu, sigma).logpdf(at + by * z)) * f(at + by * z) })
}

/// The mean of f(z) for a coin z.
fn over_coin(f, q) = q * f(1.0) + (1.0 - q) * f(0.0)
