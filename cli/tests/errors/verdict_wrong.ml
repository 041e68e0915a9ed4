// Verdicts by what is no check, in the wrong place, under a name that is logged already.
use std.optim.sgd

param w = 1.0

stage number = compute { verdict w }

stage tensor = compute { verdict ([w, 2.0] > 1.0) }

stage record = compute { verdict {good: w > 0.0} }

stage inside = train for 2 steps {
  minimize w * w over w using sgd(lr: 0.1)
  every 1 steps { verdict w > 0.0 }
}

stage twice = train for 2 steps {
  minimize w * w over w using sgd(lr: 0.1)
  log size = w
  verdict {holds: w > 0.0, size: w}
}

test "not here" { verdict w > 0.0 }
