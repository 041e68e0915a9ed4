use std.dist.bernoulli

let all = bernoulli(0.5 * ones(40)).support()
