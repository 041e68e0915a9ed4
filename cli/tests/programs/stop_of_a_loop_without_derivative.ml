// Forward derivatives went below `stop`, and were refused by what has none there.

param p = 0.5646

stage s = compute {
  let x = stop((scan (c = p, m = 0) while real(m) < 2.5, max: 4 { next c = tanh(c); next m = m + 1 }).c)
  log a = jvp(x * p, wrt: p, along: 0.37)
  log b = grad(x * p, wrt: p)
}
