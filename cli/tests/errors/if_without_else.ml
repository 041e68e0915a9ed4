param a: real = 1.0
let y = 1.0 + (if a > 0.0 { 2.0 })
