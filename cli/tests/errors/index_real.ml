let y = zeros(3)[1.5]
