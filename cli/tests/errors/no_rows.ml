use std.optim.sgd
param w: real = 1.0
let t = {x: zeros(0)}
stage s = train b in t.batch(2) for 2 epochs {
  minimize mean(w * b.x) over w using sgd(lr: 0.1)
}
