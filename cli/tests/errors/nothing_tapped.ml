param a = 1.0
stage s = compute {
  let (l, t) = taps(a * a)
  log l = l
}
