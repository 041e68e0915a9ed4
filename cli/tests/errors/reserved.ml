let given = 3
