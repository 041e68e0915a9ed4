param a: real[3] = 3
stage s = compute { log y = a }
