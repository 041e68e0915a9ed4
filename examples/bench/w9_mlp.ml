// Steps of a classifier, 64-256-256-10 with relu, for batches of 128 of 1797 rows in ten classes.

use std.nn.mlp
use std.optim.adam

fn made(n) {
  let x = randn([n, 64])
  {x: x, y: for row in x @ randn([64, 10]) { argmax(row) }}
}

let rows = made(1797)

net classify = mlp([64, 256, 256, 10], act: relu)

stage mlp_b128 = train for 1000 steps {
  let batch = for i in 0..128 { randint(0, 1797) }
  minimize mean(for i in batch { -log_softmax(classify(rows.x[i]))[rows.y[i]] }) over classify using adam(lr: 1e-3)
}
