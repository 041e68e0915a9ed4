let y = sum(ones(2, 3), axis: [0, -2])
