data x = csv("no_such_file.csv")
stage s = compute { log v = x.a }
