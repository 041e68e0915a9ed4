use std.dist.normal
stage s = compute { log v = normal(0.0, -1.0).logpdf(0.5) }
