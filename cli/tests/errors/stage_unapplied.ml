param w = 0.0
stage fit(lr) = train for 2 steps { set w = w + lr }
stage defaults(lr = 0.1) = train for 2 steps { set w = zeros(2) }
