fn even(n) = if n == 0 { true } else { odd(n - 1) }
fn odd(n) = even(n + 1)
let apply = |f, x| f(f, x)
let y = even(3)
let z = apply(apply, 1.0)
