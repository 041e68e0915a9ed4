// Distributions of series, their hidden states summed or integrated exactly.

use std.linalg.{diagonal, eye, symmetrise}

/// n sums of normal steps, from 0: each step has the mean `drift` and the standard deviation `sigma`.
dist gaussian_random_walk(sigma in positive, n, drift = 0.0) on real {
  logpdf(x) {
    let e = (x - concat(zeros(1), x[0..n - 1]) - drift) / sigma
    -0.5 * sqnorm(e) - real(n) * (log(sigma) + 0.5 * log(2.0 * pi))
  }
  noise() = randn([n])
  transform(e) = cumsum(drift + sigma * e)
  mean() = drift * (1.0 + real(iota(n)))
  variance() = sigma * sigma * (1.0 + real(iota(n)))
  entropy() = real(n) * (log(sigma) + 0.5 * log(2.0 * pi) + 0.5)
}

fn _log(p) = select(stop(p) > 0.0, log(select(stop(p) > 0.0, p, 1.0)), -inf)

/// The rows of `n` observations of a hidden Markov chain: probabilities of the first state `initial`, of the next by
/// the row of the last `transition`, and a distribution for each state, `emissions`. The states are summed by the
/// forward algorithm (Rabiner 1989, equations 18 to 21) on logarithms.
dist hmm(initial: real[k] in unit, transition: real[k, k], emissions, n) on real {
  // The logarithms of the joint probabilities of the states and the observations so far, at the last of them.
  forward(x) {
    let moves = _log(transition).T
    let scores = for y in x { for c in emissions { c.logpdf(y) } }
    scan (a = _log(initial) + scores[0]) for s in scores[1..] {
      next a = s + for row in moves { logsumexp(a + row) }
    }
  }
  logpdf(x) = logsumexp(self.forward(x))
  // Of the last state, given the observations.
  filtered(x) = softmax(self.forward(x))
  sample() {
    let moves = _log(transition)
    let (_, x) = scan (l = stop(_log(initial))) for i in 0..n {
      let s = argmax(l - log(-log(rand(k))))
      next l = stop(take(moves, s))
      yield take(for c in emissions { c.sample() }, s)
    }
    x
  }
  mean() where has(emissions, mean) {
    let m = for c in emissions { c.mean() }
    let (_, y) = scan (p = initial) for i in 0..n {
      next p = p @ transition
      yield sum(for (w, v) in (p, m) { w * v }, axis: 0)
    }
    y
  }
}

/// `n` rows of observations `y = observe @ z + noise` of a hidden state that starts with mean `m0` and covariance `p0`
/// and moves by `z' = move @ z + noise`; `q` and `r` are the covariances of the two noises. The states are integrated
/// by Kalman's filter.
dist linear_gaussian(
  move: real[k, k],
  q: real[k, k],
  observe: real[d, k],
  r: real[d, d],
  m0: real[k],
  p0: real[k, k],
  n
) on real {
  // (mean, covariance) of the state before the next observation, and the log density so far.
  filter(y) = scan (m = m0, p = p0, l = 0.0) for v in y {
    let c = cholesky(symmetrise(observe @ p @ observe.T + r))
    let gap = v - observe @ m
    let z = solve_triangular(c, gap)
    // The gain is p observe.T inverse(c c.T).
    let w = solve_triangular(c, observe @ p)
    let (seen, left) = (m + z @ w, symmetrise(p - w.T @ w))
    next m = move @ seen
    next p = symmetrise(move @ left @ move.T + q)
    next l = l - 0.5 * sqnorm(z) - sum(log(diagonal(c))) - 0.5 * real(d) * log(2.0 * pi)
  }
  logpdf(y) = self.filter(y).l
  noise() = (randn([k]), randn([n, k]), randn([n, d]))
  transform(e) {
    let (first, moves, seen) = e
    let (a, b) = (cholesky(q), cholesky(r))
    let (_, y) = scan (z = m0 + cholesky(p0) @ first) for (u, v) in (moves, seen) {
      next z = move @ z + a @ u
      yield observe @ z + b @ v
    }
    y
  }
  mean() {
    let (_, y) = scan (z = m0) for i in 0..n {
      next z = move @ z
      yield observe @ z
    }
    y
  }
}

/// The values at the rows of `x` of a function whose values are jointly normal with mean 0 and covariances `kernel(a,
/// b)`, with independent noise of standard deviation `noise_sd` on each.
dist gaussian_process(x: real[n, d], kernel, noise_sd in positive) on real {
  covariance_matrix() = (for a in x { for b in x { kernel(a, b) } }) + noise_sd * noise_sd * eye(n)
  logpdf(y) {
    let l = cholesky(self.covariance_matrix())
    -0.5 * sqnorm(solve_triangular(l, y)) - sum(log(diagonal(l))) - 0.5 * real(n) * log(2.0 * pi)
  }
  noise() = randn([n])
  transform(e) = cholesky(self.covariance_matrix()) @ e
  mean() = zeros(n)
  variance() = diagonal(self.covariance_matrix())
  entropy() = 0.5 * real(n) * (1.0 + log(2.0 * pi)) + sum(log(diagonal(cholesky(self.covariance_matrix()))))
  // The mean and the variance, noise included, of new values at the rows of `at`, given the values `y` at `x`.
  predict(y, at) {
    let l = cholesky(self.covariance_matrix())
    let cross = for a in at { solve_triangular(l, for b in x { kernel(a, b) }) }
    let own = for a in at { kernel(a, a) }
    (cross @ solve_triangular(l, y), own + noise_sd * noise_sd - sum(cross * cross, axis: 1))
  }
}

/// A kernel of `gaussian_process`: size^2 exp(-|a - b|^2 / (2 length^2)).
fn squared_exponential(size, length) = |a, b| size * size * exp(-0.5 * sqnorm((a - b) / length))

/// A kernel: Matérn of smoothness 3/2.
fn matern32(size, length) = |a, b| matern32_at(size, sqrt(3.0) * distance(a, b) / length)

/// `matern32` at a distance in units of its length over the root of 3.
fn matern32_at(size, t) = size * size * (1.0 + t) * exp(-t)

/// The Euclidean distance, whose derivative is 0 where it is 0.
fn distance(a, b) {
  let s = sqnorm(a - b)
  select(stop(s) > 0.0, sqrt(select(stop(s) > 0.0, s, 1.0)), 0.0)
}
