let y = var(ones(1), ddof: 1)
