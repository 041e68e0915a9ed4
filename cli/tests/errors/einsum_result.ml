let y = einsum([i, k], ones(2, 3)[i, j])
