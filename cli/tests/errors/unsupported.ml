stage s = compute {
  log v = scan (x = 1.0) while x > 0.1, max: 10 { next x = x / 2.0 }
}
