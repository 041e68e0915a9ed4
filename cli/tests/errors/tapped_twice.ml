net n()(x: real) {
  param w = 1.0
  tap h = w * x
  h * h
}
net m = n()
stage s = compute {
  let (l, t) = taps(m(1.0) + m(2.0))
  log l = l
}
