data t = csv("ragged.csv")
stage s = compute { log v = t.a }
