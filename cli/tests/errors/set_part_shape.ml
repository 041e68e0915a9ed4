state m = zeros(3, 2)
stage s = train for 2 steps { set m[0] = zeros(3) }
