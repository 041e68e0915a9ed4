use std.dist.normal
let m = generative(density: |t| t.x, sites: [], exact: "yes")
test "a flag" { assert is_finite(logdensity(m, {})) }
test "a model" { assert exact_density(normal(0.0, 1.0)) }
