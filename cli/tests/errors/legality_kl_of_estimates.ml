// Functions of what an `expect` gives.
use std.dist.normal
use std.vi.elbo
param m = 0.5
model p() { z ~ normal(0.0, 1.0) }
model q() { z ~ normal(m, 1.0) via reparam }
test "a logarithm" { assert is_finite(grad(log(-elbo(p(), q())), wrt: m)) }
test "a square" { assert is_finite(grad(square(elbo(p(), q())), wrt: m)) }
test "a ratio" { assert is_finite(grad(1.0 / elbo(p(), q()), wrt: m)) }
