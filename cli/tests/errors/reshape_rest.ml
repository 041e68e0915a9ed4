let y = reshape(ones(6), 4, -1)
