let y = reshape(ones(6), -1, -1)
