param a = 1.0
stage s = train for 2 steps {
  set a = a / 2.0
  stop when a
}
