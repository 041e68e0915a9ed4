// What counts the steps of a draw was given the lanes of the condition that it stands under: an internal error.

stage s = compute {
  log a = for x in 0.37 * real(iota(2)), j in 0..3 {
    if x > 0.1234567 {
      full(0.37, 2)
    } else {
      stop((scan (c = full(0.37, 2), m = 0) while real(m) < 3.2, max: 4 { next c = tanh(c + randn([2])); next m = m + 1 }).c)
    }
  }
}
