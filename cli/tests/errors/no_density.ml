// A simulator has no density.
use std.dist.normal
use std.vi.elbo
model p() { z ~ normal(0.0, 1.0) }
fn draw() = ({z: rand()}, 0.0)
test "a bound" { assert is_finite(elbo(generative(sample: draw), p())) }
