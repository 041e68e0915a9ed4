fn g(a) = grad(grad(gammainc(a, 1.5), wrt: a), wrt: a)
let y = g(2.0)
