net counted()(x: real) {
  state n = 0
  next n = n + 1
  x
}
net m[3] = counted()
stage s = compute { log y = sum(for net in m { net (1.0) }) }
