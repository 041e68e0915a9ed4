use std.optim.sgd
let o = sgd(lr: 0.1)
stage s = compute { log w = o(1.0, 2.0) }
