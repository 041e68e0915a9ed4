let y = mean(ones(3) > 0.0)
