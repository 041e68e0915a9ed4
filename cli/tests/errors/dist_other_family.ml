use std.dist.{normal, laplace}

let d = normal(0.0, 1.0).kl(laplace(0.0, 1.0))
