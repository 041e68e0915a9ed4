let (gx, gy) = (grad(f, wrt: x), grad(f, wrt: y))
update x by gx using sgd(lr: 0.1)                       // simultaneous descent-ascent
update y by -gy using sgd(lr: 0.1)
set y = clip(y, 0, 1)
