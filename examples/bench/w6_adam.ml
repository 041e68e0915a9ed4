// One step of Adam for 25 million parameters whose gradient is given.

use std.optim.adam

param p = zeros(25000000)
let g = randn(25000000)

stage adam25m = train for 5 steps { update p by g using adam(lr: 1e-3) }
