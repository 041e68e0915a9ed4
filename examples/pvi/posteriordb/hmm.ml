// A hidden Markov model with two states (posteriordb, hmm_example). The states are sites of the model; the compiler
// sums over them, which is the forward algorithm.

use std.dist.{normal, categorical, dirichlet, flat}
use std.inference.marginal
use std.supports.positive_ordered
use std.auto.full_rank
use std.diagnostics.fitted
use std.vi.elbo
use std.optim.adam
use std.schedules

data hmm = csv("../../data/posteriordb/hmm_example.csv")

model chain(y: real[n]) {
  mu ~ flat(positive_ordered(2))
  factor normal([3.0, 10.0], 1.0).logpdf(mu)
  theta1 ~ dirichlet(ones(2))
  theta2 ~ dirichlet(ones(2))
  let moves = stack([theta1, theta2])
  start ~ categorical(p: [0.5, 0.5])
  y0 ~ normal(mu[int(start)], 1.0)
  scan (z = start) for v in y[1..] {
    s ~ categorical(p: moves[int(z)])
    y ~ normal(mu[int(s)], 1.0)
    next z = s
  }
}

let observed = chain(hmm.y) given {y0: hmm.y[0], y: hmm.y[1..]}
let posterior = marginal(observed, sum: [.start, .s])

model guide = full_rank(posterior)

stage fit = train for 600 steps {
  maximize mean(for i in 0..4 { elbo(posterior, guide) }) over guide using adam(lr: schedules.cosine(0.02, 600))
  verdict fitted(posterior, guide, n: 1000)
}

/// The forward algorithm (Rabiner 1989, equations 19 to 21).
fn forward(t, y) {
  let moves = log(stack([t.theta1, t.theta2]))
  let scores = for v in y { for m in t.mu { normal(m, 1.0).logpdf(v) } }
  let end = scan (a = scores[0] + log(0.5)) for row in scores[1..] {
    next a = logsumexp(for column in moves.T { a + column }, axis: 1) + row
  }
  logsumexp(end)
}

test "the sum is the forward algorithm" {
  let t = {mu: [2.5, 9.0], theta1: [0.7, 0.3], theta2: [0.2, 0.8]}
  let prior = normal([3.0, 10.0], 1.0).logpdf(t.mu)
  assert close(logdensity(posterior, t) / (forward(t, hmm.y) + prior), 1.0, 1e-5)
}

let means = [0.6666452, 0.0731326, 3.0215168, 8.8272819]
let sds = [0.1012256, 0.0284411, 0.2244417, 0.1105727]

test "moments of the chain" {
  let draws = for i in 0..20000 {
    let (t, _) = sample(fit.guide)
    concat(stack([t.theta1[0], t.theta2[0]]), t.mu)
  }
  assert max(abs(mean(draws, axis: 0) - means) / sds) < 0.3
  let ratio = std(draws, axis: 0) / sds
  assert min(ratio) > 0.7 and max(ratio) < 1.4
}
