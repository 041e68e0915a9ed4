param a: real = 1.0
stage s = compute { log y = if a > 0.0 { zeros(3) } else { zeros(2) } }
