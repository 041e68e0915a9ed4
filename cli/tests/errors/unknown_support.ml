param a in positiv = 1.0
