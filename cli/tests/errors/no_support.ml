param a in 3.0 = 1.0
