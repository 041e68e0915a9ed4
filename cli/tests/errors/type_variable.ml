fn f(x: T[n], y: T[n]) -> T[n] = x + y
let y = f(zeros(3), [1, 2, 3])
