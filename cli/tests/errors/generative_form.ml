let a = generative(|| ({z: 1.0}, 0.0))
fn only_a_trace() = {z: 1.0}
test "no weight" {
  let (t, _) = sample(generative(sample: only_a_trace, density: |t| t.z))
  assert t.z == 1.0
}
test "no sites" { assert is_finite(logdensity(generative(density: |t| t.z), {z: 1.0})) }
