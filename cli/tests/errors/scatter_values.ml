let y = scatter_add(zeros(4, 2), at: [0, 1], values: ones(3, 2))
