fn g(a) = grad(grad(digamma(a), wrt: a), wrt: a)
let y = g(2.0)
