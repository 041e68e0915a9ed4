fn f(x) = x * x with vjp(dy) { 2.0 * x * dy }

stage s = compute {
  let x = 1.5
  log slope = jvp(f(x), wrt: x, along: 1.0)
}
