use std.nn.mlp

let y = mlp([2, 3])(zeros(2))
