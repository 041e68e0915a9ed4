let y = zeros(3)[5]
