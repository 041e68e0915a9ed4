fn f(x: number) = x
let y = f(1.0)
