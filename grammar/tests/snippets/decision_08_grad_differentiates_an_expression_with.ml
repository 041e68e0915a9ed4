let s = for y in ys { grad(log_p(y), wrt: y) }                               // scores
let per_example = for r in b { grad(loss(r), wrt: net) }                     // lanes of parameter records
let (l, t) = taps(xent(net(x), y)); let back = grad(l, wrt: t)               // t.layer[0].pre -> back.layer[0].pre
