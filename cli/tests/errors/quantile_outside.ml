let y = median(ones(3) > 0.0)
let z = quantile(ones(3), -0.5)
