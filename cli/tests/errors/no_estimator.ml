use std.optim.adam

param m: real = 0.0

dist odd(mu) on real {
  sample() = mu
}

stage fit = train for 3 steps {
  maximize expect {
    z ~ odd(m)
    z
  } over m using adam(lr: 0.1)
}
