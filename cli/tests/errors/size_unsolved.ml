fn f(x: real[2 * n]) = n
fn g(x: real[n], y: real[n + 1]) = n
let y = f(zeros(3))
let z = g(zeros(3), zeros(3))
