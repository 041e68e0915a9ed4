let known = has(1.0, cdf)
