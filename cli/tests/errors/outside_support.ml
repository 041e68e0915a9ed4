param a in unit = 1.5
