let y = one_hot(iota(100000), 100000)
