let y = transpose(ones(2, 3), [0, 0])
