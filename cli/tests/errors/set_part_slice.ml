state m = zeros(3)
stage s = train for 2 steps { set m[1..5] = 1.0 }
