use std.nn.dense

net n = dense(2, 1)

let y = n([1.0, 2.0])[0] + n.with({w: zeros(3, 1), b: zeros(1)})([1.0, 2.0])[0]
