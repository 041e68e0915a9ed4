net n = 3.0
