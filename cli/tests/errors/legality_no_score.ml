// A distribution that is only drawn from has no score.
use std.estimators.reinforce
param m = 0.1
dist simulator(m) on real {
  sample() = m + rand() * rand()
}
fn f() = expect {
  z ~ simulator(m) via reinforce
  square(z)
}
test "no score" { assert is_finite(grad(f(), wrt: m)) }
