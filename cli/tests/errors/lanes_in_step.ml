let y = for (a, b) in (zeros(3), zeros(4)) { a * b }
