let t = {x: zeros(10)}
stage s = train b in t.batch(4) for 2 epochs { log x = b.x }
test "the last batch is smaller" { assert sum(s.log.x) == 0.0 }
