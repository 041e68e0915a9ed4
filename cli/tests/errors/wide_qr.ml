let (q, r) = qr(zeros(2, 3))
