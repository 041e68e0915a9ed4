let t = {x: zeros(10)}
stage s = train b in t.batch(size: 2, first: 3) for 2 steps { log x = sum(b.x) }
