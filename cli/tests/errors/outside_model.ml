use std.dist.normal
stage s = compute { x ~ normal(0.0, 1.0) }
