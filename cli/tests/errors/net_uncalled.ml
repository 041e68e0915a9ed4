use std.nn.mlp
net n = mlp
