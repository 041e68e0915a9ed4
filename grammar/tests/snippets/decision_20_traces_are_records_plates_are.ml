model schools(sigma: real[n]) {
  mu ~ normal(0, 5); tau ~ half_cauchy(5)
  for s in sigma { theta ~ normal(mu, tau); y ~ normal(theta, s) }          // trace {mu, tau, theta: real[n], y: real[n]}
}
let m = marginal(q, keep: [.x, .y], with: importance(r, n: 8))
