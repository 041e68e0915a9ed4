let n = 3
let y = grad(real(n) * 2.0, wrt: n)
