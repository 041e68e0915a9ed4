let a = if x then 1 else 2
let b = 3 ** 2
fn f(x) = x + 1
let c = f(2
