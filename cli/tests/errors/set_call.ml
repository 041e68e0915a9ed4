state m = zeros(3)
stage s = train for 2 steps { set abs(m) = zeros(3) }
