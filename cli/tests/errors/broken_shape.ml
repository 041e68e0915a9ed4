let y = zeros(2, 3)[7..9]
