let xs = [1.0, -2.0, 3.0]

stage s = compute {
  let kept = filter(xs, |x| x > 0.0)
  log total = sum(kept)
}
