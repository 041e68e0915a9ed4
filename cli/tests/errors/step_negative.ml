let x = iota(5)
let y = x[..: -1]
