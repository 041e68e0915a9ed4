// The noisy cone (Becker et al. 2024, figure 2): a posterior on a circle, seen through a mean-field guide.

use std.dist.normal
use std.vi.elbo
use std.optim.sgd

let small = false

param m1 = 3.0
param m2 = 0.0
param l1 = 1.0
param l2 = 1.0

model cone() {
  x ~ normal(0.0, 10.0)
  y ~ normal(0.0, 10.0)
  let r = x * x + y * y
  z ~ normal(r, 0.1 + r / 100.0)
}

model guide() {
  x ~ normal(m1, exp(l1)) via reparam
  y ~ normal(m2, exp(l2)) via reparam
}

fn objective() = elbo(cone() given {z: 5.0}, guide())

stage fit = train for if small { 300 } else { 5000 } steps {
  maximize mean(for i in 0..64 { objective() }) over m1, m2, l1, l2 using sgd(lr: 1e-3)
}

stage check = compute after fit {
  log elbo = mean(for i in 0..if small { 1000 } else { 100000 } { objective() })
}

// The best guide of this family has the ELBO -8.0745 (quadrature); 300 steps come near it.
test "the trained bound is near its optimum" {
  assert close(check.log.elbo[0], -8.0745, if small { 3.0 } else { 0.02 })
}
