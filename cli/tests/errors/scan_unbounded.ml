stage s = compute {
  let r = scan (x = 1.0) while x > 0.1 { next x = 0.5 * x }
  log r = r
}
