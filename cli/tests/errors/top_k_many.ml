let y = top_k(ones(3), 4)
