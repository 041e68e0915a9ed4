param a = 1.0

stage s = compute {
  let r = scan (x = a) while x > 0.1, max: 9 { next x = 0.5 * x }
  log slope = grad(r, wrt: a)
}
