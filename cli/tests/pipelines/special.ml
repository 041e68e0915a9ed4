// Special functions: values, extremes, and derivatives of any order against closed forms and against each other.
precision f64

use std.special.{log1mexp, logsubexp, xlog1py, logit, softplus_inverse, lchoose, sinc}

test "gamma functions have derivatives of any order" {
  let x = 1.5
  assert close(grad(lgamma(x), wrt: x), digamma(x), 1e-14)
  assert close(grad(digamma(x), wrt: x), trigamma(x), 1e-14)
  assert close(grad(trigamma(x), wrt: x), polygamma(2, x), 1e-13)
  assert close(grad(grad(grad(trigamma(x), wrt: x), wrt: x), wrt: x), polygamma(4, x), 1e-11)
  // polygamma(n, 1) = (-1)^(n + 1) n! zeta(n + 1)
  assert close(polygamma(1, 1.0), pi^2 / 6.0, 1e-14)
  assert close(polygamma(3, 1.0), pi^4 / 15.0, 1e-13)
  assert close(polygamma(0, x), digamma(x), 0.0)
  assert polygamma(2, 0.0) != polygamma(2, 0.0) and polygamma(1, 0.0) == inf
}

test "angles" {
  let (y, x) = (-1.0, -2.0)
  assert close(atan2(y, x), -pi + atan(0.5), 1e-15)
  assert close(grad(atan2(y, x), wrt: y), -0.4, 1e-15)
  assert close(grad(atan2(y, x), wrt: x), 0.2, 1e-15)
  let (tall, wide) = (1e200, 1e200)
  assert close(grad(atan2(tall, wide), wrt: tall) * 1e200, 0.5, 1e-14)
  assert close(tan(atan(3.0)), 3.0, 1e-14)
  assert close(sin(asin(0.3)), 0.3, 1e-15)
  assert close(cos(acos(0.3)), 0.3, 1e-15)
  let t = 0.25
  assert close(grad(asin(t), wrt: t), 1.0 / sqrt(1.0 - t^2), 1e-14)
  assert close(grad(acos(t), wrt: t), -1.0 / sqrt(1.0 - t^2), 1e-14)
  assert close(grad(atan(t), wrt: t), 1.0 / (1.0 + t^2), 1e-14)
}

test "hyperbolic functions" {
  let x = 0.7
  assert close(sinh(asinh(x)), x, 1e-15)
  assert close(cosh(acosh(1.7)), 1.7, 1e-15)
  assert close(tanh(atanh(x)), x, 1e-15)
  assert close(grad(grad(sinh(x), wrt: x), wrt: x), sinh(x), 1e-14)
  assert close(grad(asinh(x), wrt: x), 1.0 / sqrt(1.0 + x^2), 1e-14)
  assert close(grad(atanh(x), wrt: x), 1.0 / (1.0 - x^2), 1e-14)
}

test "powers of two are exact" {
  assert exp2(-3.0) == 0.125 and log2(1024.0) == 10.0
}

test "the normal distribution function and its kin" {
  let x = -1.3
  assert close(ndtri(ndtr(x)), x, 1e-14)
  assert close(log(ndtr(x)), log_ndtr(x), 1e-14)
  // log Phi(-40), by mpmath.
  assert close(log_ndtr(-40.0), -804.6084420137538, 1e-12)
  assert close(log_ndtr(-1e5), -5000000012.431864, 1e-5)
  assert close(erfcx(2.0), exp(4.0) * erfc(2.0), 1e-15)
  let far = -1000.0
  // The density over the distribution function is near -x far to the left.
  assert close(grad(log_ndtr(far), wrt: far), 1000.001, 1e-6)
  assert close(grad(ndtri(ndtr(x)), wrt: x), 1.0, 1e-13)
}

test "incomplete functions and their derivatives" {
  let (a, x) = (2.5, 1.7)
  let h = 1e-5
  assert close(gammainc(a, x) + gammaincc(a, x), 1.0, 1e-15)
  assert close(grad(gammainc(a, x), wrt: a), (gammainc(a + h, x) - gammainc(a - h, x)) / (2.0 * h), 1e-9)
  assert close(grad(gammainc(a, x), wrt: x), exp(1.5 * log(x) - x - lgamma(a)), 1e-14)
  assert close(grad(grad(gammainc(a, x), wrt: x), wrt: a), grad(gammainc(a, x), wrt: x) * (log(x) - digamma(a)), 1e-14)
  // P(1, x) = 1 - exp(-x)
  assert close(gammainc(1.0, x), -expm1(-x), 1e-15)
  let (p, q, t) = (2.0, 3.0, 0.4)
  // I_t(2, 3) = t^2 (6 - 8 t + 3 t^2)
  assert close(betainc(p, q, t), t^2 * (6.0 - 8.0 * t + 3.0 * t^2), 1e-14)
  assert close(grad(betainc(p, q, t), wrt: p), (betainc(p + h, q, t) - betainc(p - h, q, t)) / (2.0 * h), 1e-9)
  assert close(grad(betainc(p, q, t), wrt: q), (betainc(p, q + h, t) - betainc(p, q - h, t)) / (2.0 * h), 1e-9)
  assert close(grad(betainc(p, q, t), wrt: t), 12.0 * t * (1.0 - t)^2, 1e-13)
}

test "Bessel functions" {
  let x = 3.0
  assert close(i0e(x), 0.2430003541618254, 1e-15)
  assert close(grad(log(i0e(x)) + x, wrt: x), i1e(x) / i0e(x), 1e-14)
  let zero = 0.0
  assert close(grad(i1e(zero), wrt: zero), 0.5, 1e-15)
}

test "sums of exponentials" {
  let (x, y) = (1000.0, 1001.0)
  assert close(logaddexp(x, y), 1001.3132616875182, 1e-12)
  assert close(grad(logaddexp(x, y), wrt: x), sigmoid(-1.0), 1e-15)
  assert logaddexp(-inf, -inf) == -inf and logaddexp(-inf, 3.0) == 3.0
  assert close(logsubexp(logaddexp(2.0, 1.0), 1.0), 2.0, 1e-14)
  assert close(log1mexp(1e-20), log(1e-20), 1e-13)
  assert close(log1mexp(50.0), -exp(-50.0), 1e-35)
}

test "compositions" {
  assert close(sigmoid(logit(0.3)), 0.3, 1e-15)
  assert close(logit(0.5 + 1e-12), 4e-12, 1e-16)
  let p = 0.1
  assert close(grad(logit(p), wrt: p), 1.0 / 0.09, 1e-12)
  assert close(softplus(softplus_inverse(0.01)), 0.01, 1e-16)
  assert close(lchoose(10.0, 3.0), log(120.0), 1e-14)
  assert close(lbeta(1e8, 3.0), log(2.0) - log(1e8 * (1e8 + 1.0) * (1e8 + 2.0)), 1e-12)
  assert xlog1py(0.0, -1.0) == 0.0
  assert sinc(0.0) == 1.0 and close(sinc(pi), 0.0, 1e-15)
}
