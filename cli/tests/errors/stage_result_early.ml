param w = 0.0
stage fit(lr) = train for 2 steps { set w = w + lr }
param v = fit(0.1).w
stage s = train for 2 steps { set v = v + 1.0 }
