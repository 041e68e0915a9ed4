stage s = compute {
  let r = scan (x = 1.0) while x > 0.1, max: 9 { next x = 0.5 * x; yield x }
  log r = r[0]
}
