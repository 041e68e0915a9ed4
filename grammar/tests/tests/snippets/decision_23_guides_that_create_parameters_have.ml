model guide = auto.full_rank(m)
param scale in positive = 0.1
