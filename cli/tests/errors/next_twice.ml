net counted()(x: real) {
  state n = 0
  next n = n + 1
  x
}
net m = counted()
stage s = train for 1 steps {
  let (y, moved) = nexts(m(1.0) + m(2.0))
  set m.states = moved
  log y = y
}
