fn f(x: real[n]) = x
let y = f(zeros(2, 3))
