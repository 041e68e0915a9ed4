data t = csv("word.csv")
stage s = compute { log v = t.a }
