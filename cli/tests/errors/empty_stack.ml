use std.nn.dense
net m[0] = dense(2, 3)
