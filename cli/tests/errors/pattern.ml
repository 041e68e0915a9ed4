let (a, b) = 1.5
