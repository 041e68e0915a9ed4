use std.dist.{mixture, poisson}

let q = mixture(for r in [1.0, 4.0] { poisson(r) }, p: [0.5, 0.5]).transform(0.3)
