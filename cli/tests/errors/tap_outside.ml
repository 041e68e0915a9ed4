stage s = compute {
  tap h = 1.0
  log h = h
}
