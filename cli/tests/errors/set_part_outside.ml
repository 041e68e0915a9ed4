state m = zeros(3, 2)
stage s = train for 2 steps { set m[5] = [1.0, 2.0] }
