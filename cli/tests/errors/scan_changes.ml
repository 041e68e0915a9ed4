stage s = compute {
  let r = scan (x = [1.0, 2.0]) for i in 0..3 { next x = concat(x, [1.0]) }
  log r = r
}
