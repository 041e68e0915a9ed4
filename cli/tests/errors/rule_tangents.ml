fn f(x, s) = s * x * x with jvp(dx, y) { 2.0 * s * x * dx }

param s = 3.0

stage c = compute {
  let x = 1.5
  log slope = jvp(f(x, s), wrt: x, along: 1.0)
}
