let x = solve(ones(3, 3), [1.0, 2.0])
