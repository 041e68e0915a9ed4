param w = 0.0
stage fit(lr) = train for 2 steps { set w = w + lr }
stage s = compute {
  let x = w + 1.0
  log v = fit(x).w
}
