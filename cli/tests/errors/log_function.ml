fn f(x) = x
stage s = compute { log y = f }
