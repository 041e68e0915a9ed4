let n = zeros(-3)
