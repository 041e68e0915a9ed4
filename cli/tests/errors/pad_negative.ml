let y = pad(ones(6), (1, -1))
