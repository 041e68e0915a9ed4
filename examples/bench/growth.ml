// How compile time grows with the graph: a chain of `n` links of unlike operations and its derivative, 31 to 35 nodes a link.
// `mlc run examples/bench/growth.ml --json --set n=900` says in its `compiled` events how many nodes there are and what
// making them ready took; docs/results/compile-time.md holds the figures.

use std.optim.sgd

let n = 45

param w = for i in 0..64 { 0.01 * real(i) }
param m = for i in 0..8 { for j in 0..8 { 0.1 * real(i) - 0.1 * real(j) } }

fn link(x, i) {
  let rows = reshape(x, 8, 8)
  let mixed = if mod(i, 5) == 0 { rows @ m } else { rows.T }
  let y = reshape(tanh(mixed), 64)
  let scale = sum(y * y) / 64.0
  y / (1.0 + scale) + 0.1 * sin(x)
}

stage s = train for 1 steps {
  minimize sum(scan (x = w) for i in 0..n, unroll: true { next x = link(x, i) }) over w, m using sgd(lr: 0.01)
}
