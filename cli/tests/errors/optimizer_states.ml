use std.optim.adam
stage s = compute {
  let o = adam(lr: 0.1)
  let (p, t) = o.step(1.0, 2.0, {step: 0})
  log p = p
}
