fn f(x: real[n * n]) = n
fn g(x: real[n + m]) = n
let y = f(zeros(4))
let z = g(zeros(4))
