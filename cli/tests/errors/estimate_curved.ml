// Functions of estimates that are differentiated: of a value, of a gradient, of lanes, of a condition.
use std.dist.normal
use std.optim.sgd

param m = 0.5

fn second() = expect {
  x ~ normal(m, 1.0)
  x * x
}

stage value = train for 2 steps {
  minimize log(second()) over m using sgd(lr: 0.1)
}

stage gradient = train for 2 steps {
  update m by abs(grad(second(), wrt: m)) using sgd(lr: 0.1)
}

stage lanes = train for 2 steps {
  minimize logsumexp(for i in 0..3 { second() }) over m using sgd(lr: 0.1)
}

stage condition = train for 2 steps {
  minimize if second() > 1.0 { m } else { -m } over m using sgd(lr: 0.1)
}
