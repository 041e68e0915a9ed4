// Exports without a file, to no file, of what has no rows, of groups that there are not, twice, and in the wrong place.
use std.optim.sgd

param w = 1.0
let x = [1.0, 2.0]

stage no_file = compute { export {x} }

stage no_format = compute { export {x}, to: "x.parquet" }

stage no_name = compute { export {x}, to: "../x.csv" }

stage no_rows = compute { export {x, w}, to: "rows.csv" }

stage ragged = compute { export {x, y: [1.0, 2.0, 3.0]}, to: "ragged.csv" }

stage no_group = compute { export {x}, to: "group.json" }

stage no_variables = compute { export {posterior: x}, to: "variables.json" }

stage ragged_draws = compute { export {posterior: {x, y: [1.0, 2.0, 3.0]}}, to: "draws.json" }

stage one = compute { export {x}, to: "same.npz" }

stage two = compute { export {x}, to: "same.npz" }

stage step = train for 2 steps {
  minimize w * w over w using sgd(lr: 0.1)
  export {w}, to: "step.npz"
}
