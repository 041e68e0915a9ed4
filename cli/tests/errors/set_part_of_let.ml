let m = zeros(3)
stage s = train for 2 steps { set m[0] = 1.0 }
