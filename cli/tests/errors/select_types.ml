let y = select([true, false], [1, 2], 0.5)
