use std.optim.sgd
param w: real = 1.0
let t = {x: zeros(10)}
stage s = train b in t.batch(0) for 2 epochs {
  minimize mean(w * b.x) over w using sgd(lr: 0.1)
}
