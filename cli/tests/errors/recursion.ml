fn f(x) = f(x - 1)
let y = f(3)
