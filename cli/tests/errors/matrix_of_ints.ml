let (w, v) = eigh([[2, 1], [1, 2]])
