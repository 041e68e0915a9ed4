let l = cholesky(zeros(2, 3))
