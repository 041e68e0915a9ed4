let y = reshape(zeros(6), [4])
