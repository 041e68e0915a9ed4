data t = csv("gaps.csv", columns: {age: "int"})
stage s = compute { log v = t.age }
