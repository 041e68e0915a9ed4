let x = ones(2, 3)
let y = x / sum(x, axis: 1, keepdims: true)
