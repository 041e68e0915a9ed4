// Steps of a classifier whose batch, width and depth `--set` changes, and a chain of element-wise functions and means in `links`
// links over `numbers` numbers: as `numbers` times `links` stays, the same work in more and more operations. `python
// docs/results/scaling.py MLC` times both beside another compiler.

use std.nn.mlp
use std.optim.{adam, sgd}

let batch = 128
let width = 256
let depth = 2
let links = 64
let numbers = 16384

fn made(n) {
  let x = randn([n, 64])
  {x: x, y: for row in x @ randn([64, 10]) { argmax(row) }}
}

let rows = made(1797)

let sizes = append(scan (s = [64]) for i in 0..depth, unroll: true { next s = append(s, width) }, 10)

net classify = mlp(sizes, act: relu)

stage classifier = train for 1000 steps {
  let drawn = for i in 0..batch { randint(0, 1797) }
  minimize mean(for i in drawn { -log_softmax(classify(rows.x[i]))[rows.y[i]] }) over classify using adam(lr: 1e-3)
}

param w = for i in 0..numbers { real(i) / real(numbers) }

fn link(x, i) {
  let y = if mod(i, 2) == 0 { tanh(1.1 * x) } else { sin(x) + 0.1 * x }
  y - mean(y)
}

stage chain = train for 1000 steps {
  minimize mean(square(scan (x = w) for i in 0..links, unroll: true { next x = link(x, i) })) over w using sgd(lr: 0.01)
}
