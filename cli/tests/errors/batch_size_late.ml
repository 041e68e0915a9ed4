let t = {x: zeros(10)}
stage s = train b in t.batch(size: 2 * n) for 9 steps {
  state n = 2
  set n = 2 * n
}
