let y = concat([zeros(2147483600), zeros(100)], axis: 0)
