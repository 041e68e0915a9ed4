let t = {x: zeros(10)}
stage s = train b in t.batch(size: n) for 9 steps {
  state n = 4
  log first = sum(b.x[0..3])
  set n = n - 1
}
