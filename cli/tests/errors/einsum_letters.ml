let y = einsum([i], ones(2, 3)[i])
