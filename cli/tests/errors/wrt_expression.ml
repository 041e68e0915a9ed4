let x = 1.0
let y = grad(x * x, wrt: x * 2.0)
