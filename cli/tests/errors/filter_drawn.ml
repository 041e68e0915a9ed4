let xs = rand(10)
let kept = filter(xs, |x| x > 0.5)

stage s = compute { log total = sum(kept) }
