let f = 3
data d = csv(f)
