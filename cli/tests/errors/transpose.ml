let y = concat([zeros(2, 3), zeros(2, 4)], axis: 5)
