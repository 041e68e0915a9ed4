let y = ones(5, 2, 3) @ ones(3)
