use std.optim.sgd

data rows = npy("rows.npy", on_disk: true)
let (a, b) = split(rows, at: 3)
param w = 0.0

stage s = train x in a.batch(2) for 1 epochs {
  minimize mean((x - w)^2) over w using sgd(lr: 0.1)
  every 1 epoch { log all = mean((b - w)^2) }
}
