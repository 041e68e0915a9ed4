let x = [1.0, -2.0, 3.0]
let y = x[x > 0.0]
