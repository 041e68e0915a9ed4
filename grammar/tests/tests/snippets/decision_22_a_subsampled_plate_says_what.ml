model regression(x: real[n, d]) {
  w ~ normal(zeros(d), 1)
  for r in x, of: 10000 { y ~ bernoulli(logits: dot(r, w)) }
}
maximize elbo(regression(b.x) given {y: b.y}, guide) over guide using adam(lr: 1e-2)
