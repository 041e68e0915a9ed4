data t = csv("gaps.csv", columns: {age: "number"})
data u = npy("rows.npy", rows: 2..9)
data v = csv("gaps.csv", missing: 0.5, columns: {age: "int"})
stage s = compute { log v = t.age, w = u, x = v.age }
