let (u, s, v) = svd([1.0, 2.0])
