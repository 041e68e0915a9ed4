let x = ones(2, 3)
let y = einsum([i, k], x[i, j], x[j, k])
