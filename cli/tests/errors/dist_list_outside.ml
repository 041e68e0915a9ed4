use std.dist.{normal, binomial}

let d = normal([0.0, 1.0], [1.0, -1.0])
let e = binomial(2.5, 0.5)
