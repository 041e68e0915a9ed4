precision f64

use std.dist.normal
use std.auto.{annealed, mean_field}
use std.vi.{elbo, iwelbo}
use std.optim.adam
use std.schedules
use std.testing.unbiased

// --- A posterior that is known: normal(0.5, sqrt(0.5)), and a guide far off ---

model p() {
  z ~ normal(0.0, 1.0)
  x ~ normal(z, 1.0)
}

let posterior = p() given {x: 1.0}
let evidence = normal(0.0, sqrt(2.0)).logpdf(1.0)

param a = -0.7
param s in positive = 1.6

model base() { z ~ normal(a, s) }

model one_step = annealed(posterior, base(), steps: 1, rate: 0.2)
model many_steps = annealed(posterior, base(), steps: 16, rate: 0.3)

// The bound with one step, by a sum over a grid of both draws.
fn by_sum(a, s, rate) {
  let grid = for i in 0..201 { 0.08 * (real(i) - 100.0) }
  fn ahead(x) {
    let move = rate * (1.0 - 2.0 * x)
    x + move / sqrt(1.0 + move * move)
  }
  sum(for e in grid, n in grid {
    let x = a + s * e
    let to = ahead(x) + sqrt(2.0 * rate) * n
    let lp = normal(0.0, 1.0).logpdf(to) + normal(to, 1.0).logpdf(1.0)
    let there = normal(ahead(x), sqrt(2.0 * rate)).logpdf(to)
    let back = normal(ahead(to), sqrt(2.0 * rate)).logpdf(x)
    let w = lp - normal(a, s).logpdf(x) + back - there
    0.0064 * exp(normal(0.0, 1.0).logpdf(e) + normal(0.0, 1.0).logpdf(n)) * w
  })
}

test "a bound, and its gradient" {
  let (u, v, rate) = (-0.7, 1.6, 0.2)
  let (bound, g) = value_and_grad(by_sum(u, v, rate), wrt: (u, v, rate))
  assert bound < evidence
  assert unbiased(|_| elbo(posterior, one_step), truth: bound)
  fn drawn(i) {
    let (da, ds, dg) = grad(elbo(posterior, one_step), wrt: (a, s, one_step))
    stack([da, ds, dg.rates[0]])
  }
  assert unbiased(drawn, truth: stack([g[0], g[1], g[2]]))
}

test "the density, without bias, of draws" {
  // Means of 400: six standard errors.
  let n = 100
  let mass = for i in 0..n {
    let z = 10.0 * (real(i) + 0.5) / real(n) - 5.0
    let w = for j in 0..400 { exp(logdensity(many_steps, {z: z})) }
    (mean(w), var(w) / 400.0)
  }
  let h = 10.0 / real(n)
  assert abs(h * sum(mass[0]) - 1.0) < 6.0 * h * sqrt(sum(mass[1])) and h * sqrt(sum(mass[1])) < 0.05
}

test "tighter" {
  let far = mean(for i in 0..10000 { elbo(posterior, base()) })
  let r = for i in 0..10000 { elbo(posterior, many_steps) }
  let near = mean(r)
  let se = std(r) / 100.0
  assert near < evidence + 6.0 * se
  assert evidence - near < 0.25 * (evidence - far)
  assert mean(for i in 0..1000 { iwelbo(posterior, many_steps, 10) }) > near
}

// --- One that is not: two numbers whose product is seen ---

model product() {
  z ~ normal(zeros(2), 1.0)
  x ~ normal(z[0] * z[1], 0.5)
}

let seen = product() given {x: 2.0}

model apart = mean_field(seen)
model moved = annealed(seen, mean_field(seen), steps: 8)

stage fit = train for 800 steps {
  maximize mean(for i in 0..8 { elbo(seen, apart) }) over apart using adam(lr: schedules.cosine(0.05, 800))
  maximize mean(for i in 0..8 { elbo(seen, moved) }) over moved using adam(lr: schedules.cosine(0.05, 800))
}

test "parameters of both" {
  let alone = for i in 0..20000 { elbo(seen, fit.apart) }
  let with_steps = for i in 0..20000 { elbo(seen, fit.moved) }
  let se = sqrt((var(alone) + var(with_steps)) / 20000.0)
  assert mean(with_steps) > mean(alone) + 0.1 + 6.0 * se
  assert max(abs(fit.moved.params.gains - 1.0)) > 0.05 and max(abs(fit.moved.params.rates / 0.05 - 1.0)) > 0.1
  let (t, w) = sample(fit.moved)
  assert len(t.z) == 2 and is_finite(w)
}
