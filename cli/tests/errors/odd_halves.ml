let y = halves(zeros(3))
