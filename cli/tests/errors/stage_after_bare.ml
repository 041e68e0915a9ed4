param w = 0.0
stage fit(lr) = train for 2 steps { set w = w + lr }
stage s = train for 2 steps after fit { set w = w + 1.0 }
