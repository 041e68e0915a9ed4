let y = cumsum(ones(2, 3))
