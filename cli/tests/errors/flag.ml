let x = solve_triangular(ones(2, 2), [1.0, 2.0], lower: 1.0)
