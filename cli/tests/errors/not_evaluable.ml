fn f(x) = x
let y = f + 1
