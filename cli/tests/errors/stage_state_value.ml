let rows = {x: ones(2)}
stage s = train b in rows.batch(1) for 2 steps {
  state c = b.x
  set c = c + b.x
}
