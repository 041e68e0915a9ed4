let r = scan (x = x0, err = inf) while err > 1e-9, max: 500 { next x = f(x); next err = norm(f(x) - x) }
let (h, outs) = scan (h = start) for x in xs, checkpoint: 16 { next h = cell(h, x); yield head(h) }
