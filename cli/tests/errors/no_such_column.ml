data t = csv("gaps.csv", columns: ["age", "sort"])
stage s = compute { log v = t.age }
