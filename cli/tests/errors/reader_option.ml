data t = csv("gaps.csv", missing: drop, sep: ";")
data u = idx("truncated.idx", rows: 0..3)
data v = npy("rows.npy", on_disk: |x| x)
stage s = compute { log v = t.age, w = u, x = v }
