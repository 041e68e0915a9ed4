use std.optim.clip_norm
param w = 1.0
stage s = train for 2 steps { minimize w * w over w using clip_norm(1.0) }
