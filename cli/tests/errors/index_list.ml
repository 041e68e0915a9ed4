let x = ones(4)
let y = x[[0, 4]]
