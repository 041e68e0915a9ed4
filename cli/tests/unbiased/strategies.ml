// The estimators of the library as they are tried at distributions: those that take others, or arguments, with some.

use std.estimators as e

let reparam = e.reparam
let reinforce = e.reinforce(baseline: 0.1)
let enumerate = e.enumerate
let enumerate_top = e.enumerate_top(n: 1)
let mvd = e.mvd
let average = e.average(n: 3, inner: e.reinforce(baseline: e.leave_one_out))
let antithetic = e.antithetic(inner: e.reinforce)
let quasi = e.quasi(n: 3, inner: e.reinforce)
let mirrored_paths = e.antithetic(inner: e.reparam)
let lattice_of_paths = e.quasi(n: 3, inner: e.reparam)
let rebar = e.rebar
let relax = e.relax(control: |z| sum(tanh(z)))
let arm = e.arm
let straight_through = e.straight_through
let gumbel_softmax = e.gumbel_softmax
let auto = e.auto

/// All that may stand at a coin, and at a normal distribution.
let coins = [reinforce, enumerate, enumerate_top, mvd, average, antithetic, quasi, rebar, relax, arm, auto]
let bells = [reparam, reinforce, mvd, average, antithetic, quasi, mirrored_paths, lattice_of_paths, auto]

/// A score with a factor that is wrong.
estimator slipped(d, k) where scored(d) {
  let x = stop(d.sample())
  k(x) * exp(1.5 * tangent(d.logpdf(x)))
}
