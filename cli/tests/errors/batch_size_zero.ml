let t = {x: zeros(10)}
state n = 0
stage s = train b in t.batch(size: n) for 2 steps { set n = n + 1 }
