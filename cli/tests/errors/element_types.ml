let y = zeros(2) + [true, false]
