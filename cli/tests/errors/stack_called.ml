use std.nn.dense
net m[3] = dense(2, 3)
stage s = compute { log v = m([1.0, 2.0]) }
