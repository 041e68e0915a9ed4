use std.nn.dense
net m = dense(1, 1)
stage s = train for 1 steps {
  let (y, moved) = nexts(m([1.0])[0])
  log y = y
}
