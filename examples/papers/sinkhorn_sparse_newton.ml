// Paper: Tang, Shavlovsky, Rahmanian, Tardini, Thekumparampil, Xiao, Ying, "Accelerating Sinkhorn Algorithm with Sparse Newton
//   Iterations" (2024).
// Claim: After some of Sinkhorn's iterations, a few of Newton's with a Hessian of few entries reach machine precision.
// Shown: Ten problems with a Hessian of 8 entries in a row of 100. To 1e-11 in the marginals it takes 25 to 29 steps, 20 of them
//   Sinkhorn's, for random assignments, where Sinkhorn takes 1043 to over 5000, and 34 to 39 for clouds of points, where it takes over
//   5000. The work that hides in conjugate gradients, 400 to 3600 products with the sparse Hessian, is counted too: in elements touched
//   it is 16 to 51 times less. With less weight on costs both find one plan.
// Not shown: Times, and the problems of the paper with thousands of points. With too few entries it stops short: 5 in a row left one
//   cloud of 40 points (`--set small=true --set share=5 --seed 4`) at an error of 1e-7.
// Takes: 15 to 30 seconds; 4 with `--set small=true`.
// Vary: `--seed` for other costs, `--set share=12` or `--set warm=5` for fuller or earlier Newton steps.

precision f64

use std.transport.{
  plan, lacking, potential, marginal_error, no_potentials, sinkhorn_step, sparse_newton_step, sinkhorn, sparse_newton,
}

let small = false
let n = if small { 40 } else { 100 }
/// Entries that the Hessian keeps, for each row.
let share = 8
let warm = 20
let most = if small { 2500 } else { 5000 }

state costs = for i in 0..5 { rand(n, n) }
state clouds = for i in 0..5 { (rand(n, 2), rand(n, 2)) }

fn problem(cost, eta) = {cost, r: full(1.0 / n, n), c: full(1.0 / n, n), eta: eta}
fn assignment(cost) = problem(cost, 3.0 * n)
fn transport(pair) = problem(for x in pair[0], y in pair[1] { sqnorm(x - y) }, 10.0 * n)

/// Both methods from nothing, and the elements that their loops go over: n^2 for each plan, of which Sinkhorn's iteration makes two and
/// reads another for the error, Newton's step about five; and two for each entry in a product with the Hessian.
fn both(t) {
  let s = sinkhorn(t, no_potentials(t), max: most)
  let q = sparse_newton(t, no_potentials(t), share * n, warm: warm)
  let square = real(n * n)
  {
    sinkhorn: s.steps, newton: q.steps, products: q.products,
    sinkhorn_error: marginal_error(t, s.{x, y}), newton_error: marginal_error(t, q.{x, y}),
    plans_differ: n * max(abs(plan(t, s.{x, y}) - plan(t, q.{x, y}))),
    saved_work: 3.0 * real(s.steps) * square / (5.0 * real(q.steps) * square + 2.0 * real(share * n) * real(q.products)),
  }
}

stage assignments = compute {
  let r = for c in costs { both(assignment(c)) }
  log sinkhorn = r.sinkhorn, newton = r.newton, products = r.products, sinkhorn_error = r.sinkhorn_error, newton_error = r.newton_error
  log plans_differ = r.plans_differ, saved_work = r.saved_work
}

stage points = compute {
  let r = for p in clouds { both(transport(p)) }
  log sinkhorn = r.sinkhorn, newton = r.newton, products = r.products, sinkhorn_error = r.sinkhorn_error, newton_error = r.newton_error
  log plans_differ = r.plans_differ, saved_work = r.saved_work
}

/// With less weight on costs Sinkhorn's iteration ends, and the plans can be compared.
stage mild = compute {
  let r = for c in costs { both(problem(c, 1.0 * n)) }
  log sinkhorn = r.sinkhorn, newton = r.newton, products = r.products, sinkhorn_error = r.sinkhorn_error, newton_error = r.newton_error
  log plans_differ = r.plans_differ
}

/// Logarithms of errors before each of 40 steps.
fn errors(t, step) {
  let (_, e) = scan (v = no_potentials(t)) for i in 0..40 {
    next v = step(i, v)
    yield log(marginal_error(t, v) + 1e-17) / log(10.0)
  }
  e
}

fn by_sinkhorn(t) = errors(t, |i, v| sinkhorn_step(t, v))

fn by_newton(t) = errors(t, |i, v| if i < warm { sinkhorn_step(t, v) } else { sparse_newton_step(t, v, share * n).{x, y} })

stage show = report after assignments {
  text "Errors of the marginals (log10) by step: Newton's begin after twenty of Sinkhorn's."
  plot {sinkhorn: by_sinkhorn(assignment(costs[0])), sparse_newton: by_newton(assignment(costs[0]))}, title: "a random assignment"
  plot {sinkhorn: by_sinkhorn(transport(clouds[0])), sparse_newton: by_newton(transport(clouds[0]))}, title: "two clouds of points"
  image n * solved(assignment(costs[0])), title: "the plan of the assignment: few entries count"
  table {sinkhorn: assignments.log.sinkhorn[0], newton: assignments.log.newton[0], products: assignments.log.products[0]},
    title: "steps, random assignments"
  table {sinkhorn: points.log.sinkhorn[0], newton: points.log.newton[0], products: points.log.products[0]},
    title: "steps, clouds of points"
}

fn solved(t) = plan(t, sparse_newton(t, no_potentials(t), share * n).{x, y})

test "few steps for random assignments" {
  let r = assignments.log
  assert max(r.newton_error[0]) < 1e-11
  assert max(r.newton[0]) < 40
  assert median(real(r.sinkhorn[0])) > 20.0 * max(real(r.newton[0]))
}

test "few steps for clouds of points" {
  let r = points.log
  assert max(r.newton_error[0]) < 1e-11
  assert max(r.newton[0]) < 60
  assert median(real(r.sinkhorn[0])) > 40.0 * max(real(r.newton[0]))
}

test "both find one plan" {
  let r = mild.log
  assert max(r.sinkhorn_error[0]) < 1e-11 and max(r.newton_error[0]) < 1e-11
  // Elements of n times a plan are at most 1.
  assert max(r.plans_differ[0]) < 1e-9
}

test "the work is less, too" { assert median(assignments.log.saved_work[0]) > 5.0 and median(points.log.saved_work[0]) > 5.0 }

test "with all entries a step solves Newton's equation" {
  let t = {cost: costs[0][..8, ..8], r: full(0.125, 8), c: full(0.125, 8), eta: 30.0}
  let v = scan (v = no_potentials(t)) for i in 0..20 { next v = sinkhorn_step(t, v) }
  let g = lacking(t, v)
  let slope = grad(potential(t, v), wrt: v)
  assert close(slope.x, g.x, 1e-13) and close(slope.y, g.y, 1e-13)
  let step = sparse_newton_step(t, v, 64, precision: 1e-10).{x, y} - v
  let product = hvp(potential(t, v), wrt: v, along: step)
  assert close(product.x, -g.x, 1e-9 * norm(g)) and close(product.y, -g.y, 1e-9 * norm(g))
}
