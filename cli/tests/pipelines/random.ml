// Draws against their laws. Each check of a mean allows six standard errors of it, each of a distribution function
// 4 / sqrt(n) (by the Dvoretzky-Kiefer-Wolfowitz inequality exceeded with a probability below 3e-14), so that right
// samplers fail with a probability below 1e-6 in all. The seed is fixed.
// slow by the interpreter

use std.random.{flips, choice, permutation, shuffled, exponential_draw, gamma_draw, log_gamma_draw, beta_draw}
use std.random.{dirichlet_draw, student_t_draw, poisson_draw, binomial_draw}

let n = 20000

fn far(x, points, cdf) = max(for p in points { abs(mean(for v in x { real(v <= p) }) - cdf(p)) }) > 4.0 / sqrt(real(n))

test "integers" {
  let x = randint(-3, 4, n)
  assert min(x) == -3 and max(x) == 3
  assert not far(real(x), [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0], |p| (p + 4.0) / 7.0)
  let wide = real(randint(-2147483648, 2147483647, n)) / 2147483648.0
  assert not far(wide, [-0.9, -0.5, 0.0, 0.3, 0.8], |p| 0.5 * (p + 1.0))
  assert randint(5, 6) == 5
}

test "normal draws" {
  assert not far(randn(n), [-2.5, -1.0, 0.0, 0.5, 2.0], |p| ndtr(p))
}

test "permutations" {
  let p = permutation(1000)
  assert sum(p) == 499500 and sum(p * p) == 332833500
  assert sum(shuffled(iota(100))) == 4950
  // Each of the six orders of three has probability 1/6.
  let orders = for i in 0..n { let q = permutation(3); 9 * q[0] + 3 * q[1] + q[2] }
  let shares = for code in [5, 7, 11, 15, 19, 21] { mean(for o in orders { real(o == code) }) }
  assert close(shares, 1.0 / 6.0, 6.0 * sqrt(5.0 / 36.0 / 20000.0))
}

test "discrete draws" {
  assert abs(mean(flips(full(0.3, n))) - 0.3) < 6.0 * sqrt(0.21 / real(n))
  let c = for i in 0..n { real(choice([0.0, log(2.0), log(5.0)])) }
  assert not far(c, [0.0, 1.0], |p| (1.0 + 2.0 * p) / 8.0)
}

fn bad_gamma(a) = far(gamma_draw(full(a, n)), [0.1 * a, 0.7 * a, a, 1.3 * a, 2.0 * a], |p| gammainc(a, p))

test "continuous draws" {
  assert not far(exponential_draw(full(2.0, n)), [0.1, 0.3, 0.5, 1.0, 2.0], |p| -expm1(-2.0 * p))
  assert not bad_gamma(0.1)
  assert not bad_gamma(0.7)
  assert not bad_gamma(1.0)
  assert not bad_gamma(2.5)
  assert not bad_gamma(30.0)
  assert not far(beta_draw(full(0.5, n), full(2.0, n)), [0.01, 0.1, 0.3, 0.7], |p| betainc(0.5, 2.0, p))
  let first = for i in 0..n { dirichlet_draw([0.5, 1.5, 0.5])[0] }
  assert not far(first, [0.01, 0.1, 0.3, 0.7], |p| betainc(0.5, 2.0, p))
  let cauchy = student_t_draw(full(1.0, n))
  assert not far(cauchy, [-5.0, -1.0, 0.0, 0.5, 2.0], |p| 0.5 + atan(p) / pi)
}

test "tiny shapes do not underflow in logarithms" {
  let l = log_gamma_draw(full(0.001, n))
  assert all(is_finite(l))
  // log of the draw over a is near minus an exponential of mean 1000.
  assert abs(mean(l) - digamma(0.001)) < 6.0 * 1000.0 / sqrt(real(n))
}

fn bad_poisson(mu) {
  let k = poisson_draw(full(mu, n))
  let s = sqrt(mu)
  let points = [floor(mu), floor(mu + s), floor(mu + 2.0 * s)]
  let shape = far(k, points, |p| gammaincc(p + 1.0, mu))
  shape or abs(mean(k) - mu) > 6.0 * s / sqrt(real(n)) or min(k) < 0.0
}

fn bad_binomial(m, p) {
  let k = binomial_draw(full(m, n), full(p, n))
  let s = sqrt(m * p * (1.0 - p))
  let points = [floor(m * p - s), floor(m * p), floor(m * p + 0.7 * s)]
  let shape = far(k, points, |c| betainc(m - c, c + 1.0, 1.0 - p))
  shape or abs(mean(k) - m * p) > 6.0 * s / sqrt(real(n)) or min(k) < 0.0 or max(k) > m
}

test "draws in lanes of a loop are draws of their own" {
  let x = for i in 0..n { gamma_draw(2.0) }
  assert not far(x, [0.5, 1.0, 2.0, 4.0], |p| gammainc(2.0, p))
  let y = for i in 0..n { poisson_draw(if i > 0 { 30.0 } else { 2.0 }) }
  assert not far(y, [25.0, 30.0, 36.0], |p| gammaincc(p + 1.0, 30.0))
  assert far(gamma_draw(full(1.1, n)), [0.5, 1.0, 2.0], |p| gammainc(1.0, p))
}

test "counts" {
  assert not bad_poisson(0.3)
  assert not bad_poisson(4.0)
  assert not bad_poisson(9.9)
  assert not bad_poisson(10.1)
  assert not bad_poisson(50.0)
  assert not bad_poisson(3000.0)
  assert not bad_binomial(20.0, 0.1)
  assert not bad_binomial(20.0, 0.9)
  assert not bad_binomial(200.0, 0.5)
  assert not bad_binomial(500.0, 0.03)
  assert not bad_binomial(500.0, 0.98)
}

fn slope_of_mean(a) = grad(mean(gamma_draw(full(a, n))), wrt: a)

test "implicit derivatives" {
  // The mean of a gamma draw is its shape, so the derivative's mean is 1; its second moment is below 3 here.
  let near = 6.0 * sqrt(3.0 / real(n))
  assert close(slope_of_mean(0.4), 1.0, near)
  assert close(slope_of_mean(1.0), 1.0, near)
  assert close(slope_of_mean(3.0), 1.0, near)
  let t = 0.001
  // The mean of the logarithm is digamma(a).
  let slope = grad(mean(log_gamma_draw(full(t, n))), wrt: t)
  assert close(slope / trigamma(0.001), 1.0, 6.0 / sqrt(real(n)))
  let a = 2.0
  // The derivative of a / (a + 3) is 3 / (a + 3)^2.
  assert close(grad(mean(beta_draw(full(a, n), full(3.0, n))), wrt: a), 0.12, 6.0 * 0.1 / sqrt(real(n)))
}
