let y = zeros(2, 3) @ zeros(2)
