param a = 1.0
stage s = train for 2 steps {
  set a = a / 2.0
  keep lowest a
  every 1 step { keep highest a }
}
