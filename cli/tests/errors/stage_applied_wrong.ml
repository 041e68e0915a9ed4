param w = zeros(3)
stage fit(n) = train for 2 steps { set w = zeros(n) }
stage s = compute { log right = fit(3).w, wrong = fit(4).w }
