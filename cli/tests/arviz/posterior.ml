// A posterior whose mean and standard deviation are known, in all formats: `check.py` loads them.
use std.dist.{normal, bernoulli}
use std.posterior.{draws, predicted}

let y = [0.3, 1.2, 0.8, 1.9, 0.1]

model line(n) {
  mu ~ normal(0.0, 1.0)
  for i in 0..n { y ~ normal(mu, 1.0) }
}

model guide() {
  mu ~ normal(sum(y) / 6.0, sqrt(1.0 / 6.0))
}

stage using = compute {
  let posterior = draws(guide(), 500)
  let posterior_predictive = predicted(line(5), posterior)
  export posterior, to: "posterior.csv"
  export {posterior, posterior_predictive}, to: "all.npz"
  export {posterior, posterior_predictive, observed_data: {y}, sample_stats: {lp: posterior.mu}}, to: "inference.json"
  log mean = mean(posterior.mu)
}
