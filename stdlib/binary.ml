// Signs that have derivatives, for nets with weights and activations of -1 and 1. Each is a function from tensors to their signs, whose
// derivative is that of a smooth function; `net`s take them as arguments.

use std.init.glorot

/// The straight-through sign: the derivative of x where |x| <= t, 0 elsewhere (Bengio, Leonard and Courville 2013; clipped as in
/// Courbariaux et al. 2016).
fn ste(x, t = 1.0) {
  fn binary(x) = sign(x) with vjp(dy) { dy * real(abs(x) <= t) }
  binary(x)
}

/// The function that `reste` has the derivative of: sign(x) |x|^(1 / o), the sign itself as `o` grows.
fn power_sign(x, o) = sign(x) * exp(log(max(abs(x), 1e-30)) / o)

/// Its derivative |x|^(1 / o - 1) / o, but m^(1 / o - 1), the secant's slope, where |x| < m, and 0 where |x| > t.
fn reste_slope(x, o, t = 1.5, m = 0.1) {
  let a = abs(x)
  let power = exp(log(max(a, m)) * (1.0 / o - 1.0))
  select(a > t, 0.0, select(a < m, power, power / o))
}

/// The rectified straight-through sign (Wu et al. 2023, ReSTE, equation 8): o = 1 is `ste` at the same clip, a larger `o` is nearer to
/// the sign and has less steady gradients. `o` may change from step to step.
fn reste(x, o, t = 1.5, m = 0.1) {
  fn binary(x) = sign(x) with vjp(dy) { dy * reste_slope(x, o, t, m) }
  binary(x)
}

/// The sign with the derivative of max(1, 1 / t) tanh(t x) (Qin et al. 2020, IR-Net, the error decay estimator), where `t` rises from 0.1
/// to 10.
fn ede(x, t) {
  fn binary(x) = sign(x) with vjp(dy) { dy * max(t, 1.0) * (1.0 - square(tanh(t * x))) }
  binary(x)
}

/// A map with weights of -1 and 1 times their mean magnitude, through which no derivative passes. `binary(w, level)` makes the signs,
/// where `level` is what may change from step to step.
net binary_dense(inputs, outputs, binary)(x: real[inputs], level: real) {
  param w: real[inputs, outputs] = glorot(inputs, outputs)
  stop(mean(abs(w))) * (x @ binary(w, level))
}
