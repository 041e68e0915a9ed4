// A line through fifty points, by gradient descent.

use std.optim.adam

let small = false
let xs = for i in 0..50 { real(i) / 25.0 - 1.0 }
let ys = for x in xs { 2.0 * x + 0.5 + 0.1 * sin(40.0 * x) }

param slope = 0.0
param offset = 0.0

stage fit = train for if small { 200 } else { 500 } steps {
  minimize mean(for (x, y) in (xs, ys) { (slope * x + offset - y)^2 })
    over slope, offset
    using adam(lr: 0.05)
}

stage result = compute after fit { log slope = slope, offset = offset }

test "the line is found" {
  assert close(fit.slope, 2.0, 0.05)
  assert close(fit.offset, 0.5, 0.05)
}
