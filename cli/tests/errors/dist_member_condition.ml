dist twice(d) on real {
  sample() = 2.0 * d.sample()
  mean() where large(d) = 2.0 * d.mean()
}

use std.dist.normal

let m = twice(normal(0.0, 1.0)).mean()
