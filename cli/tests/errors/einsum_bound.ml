let j = 1
let y = einsum([i], ones(2, 3)[i, j])
