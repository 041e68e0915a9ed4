stage s = compute {
  let r = scan (x = 1.0) for i in 0..1000000, unroll: true { next x = 0.5 * x }
  log r = r
}
