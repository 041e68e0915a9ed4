// A model that is drawn only, scored; and one that is scored only, drawn.
use std.dist.normal
use std.inference.{normalize, quadrature}
use std.vi.{elbo, forward_kl}
model p() { z ~ normal(0.0, 1.0) }
fn simulated() {
  fn draw() = ({z: rand() * rand()}, 0.0)
  generative(sample: draw)
}
let scored_only = normalize(p(), with: quadrature(8, low: -6.0, high: 6.0))
test "scored" { assert is_finite(elbo(simulated(), p())) }
test "drawn" { assert is_finite(elbo(p(), scored_only)) }
test "drawn and scored" { assert is_finite(forward_kl(scored_only, p())) }
