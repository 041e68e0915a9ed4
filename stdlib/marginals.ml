// Nets that give the logarithm of any marginal of binary variables in one pass. A partial state has 0, 1 or, where a variable is not said,
// 2; `log_p(s)` is the net for its marginal, up to what `log_p` of nothing said is, and `odds(s)` another net for the log odds of each
// variable given what is said.

/// A state with only the variables that are kept.
fn partly(x: int[d], keep: bool[d]) = select(keep, x, 2)

/// Three numbers for each variable, for a net.
fn encoded(s: int[d]) = flatten(one_hot(s, 3))

/// log of the probability of `x` where the log odds are `l`.
fn log_bernoulli(x, l) = log_sigmoid(select(x > 0, l, -l))

/// By how much the two nets disagree on one variable more, for a random order and a random place in it: the square of
/// log p(said) + log p(one more | said) - log p(both) (Liu, Ramadge and Adams 2023, equation 5).
fn inconsistency(log_p, odds, x: int[d]) {
  let place = argsort(rand(d))
  let at = randint(0, d)
  let (before, after) = (partly(x, place < at), partly(x, place <= at))
  let i = argmax(int(place == at))
  (log_p(before) + log_bernoulli(x[i], odds(before)[i]) - log_p(after))^2
}

/// A state of which `count` random variables are drawn anew, one after another, by the conditional net.
fn redrawn(odds, x: int[d], count) {
  let place = argsort(rand(d))
  scan (s = partly(x, place >= count)) for j in 0..count {
    let i = argmax(int(place == j))
    next s = put(s, i, int(rand() < sigmoid(odds(s)[i])))
  }
}

/// A number whose gradient is that of KL(p, f / Z) for states `xs` drawn from p: the score, with the mean of the others' log p - log f
/// for a baseline (Liu et al. 2023, equation 8).
fn energy_kl(log_p, log_f, xs: int[b, d]) {
  let l = for x in xs { log_p(x) }
  let r = stop(l - for x in xs { log_f(x) })
  mean((r - (sum(r) - r) / real(b - 1)) * l)
}

/// log of the probability of the variables that are said, by the conditional net in the order of their places: as many passes as
/// variables.
fn log_by_conditionals(odds, s: int[d]) = scan (total = 0.0) for i in 0..d {
  let before = select(iota(d) < i, s, 2)
  next total = total + if s[i] == 2 { 0.0 } else { log_bernoulli(s[i], odds(before)[i]) }
}

/// The logarithm of the normaliser of `f` by what the net says of nothing, given states `xs` drawn from it.
fn log_normalizer(log_p, log_f, xs: int[b, d]) = log_p(2 + zeros_int(d)) - mean(for x in xs { log_p(x) - log_f(x) })
