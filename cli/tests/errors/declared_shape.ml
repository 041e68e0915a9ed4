fn f(x: real[n, n]) = sum(x)
stage s = compute { log v = f(zeros(3, 4)) }
