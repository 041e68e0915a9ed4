// Matrix products and their derivatives, a shape a stage: `mlc bench examples/bench/products.ml` says how much of the machine's matrix
// throughput, or bandwidth where a matrix meets a vector, each reaches.

use std.optim.sgd

/// The mean square of rows times a weight: one product forward, one backward.
fn energy(x, w) = mean((x @ w)^2)

let made = {
  square: randn([512, 512]), tall: randn([4096, 64]), wide: randn([64, 784]), thin: randn([1024, 256]),
  long: randn([10000, 100]), heads: randn([64, 64, 16])
}

param square = randn([512, 512])
param tall = randn([64, 256])
param wide = randn([784, 200])
param thin = randn([256, 10])
param vector = randn(100)
param heads = randn([64, 16, 64])

stage square_512 = train for 100 steps { minimize energy(made.square, square) over square using sgd(lr: 1e-3) }

stage tall_4096_64_256 = train for 100 steps { minimize energy(made.tall, tall) over tall using sgd(lr: 1e-3) }

stage wide_64_784_200 = train for 100 steps { minimize energy(made.wide, wide) over wide using sgd(lr: 1e-3) }

stage thin_1024_256_10 = train for 100 steps { minimize energy(made.thin, thin) over thin using sgd(lr: 1e-3) }

stage vector_10000_100 = train for 100 steps { minimize energy(made.long, vector) over vector using sgd(lr: 1e-3) }

stage batch_64_64_16_64 = train for 100 steps { minimize energy(made.heads, heads) over heads using sgd(lr: 1e-3) }
