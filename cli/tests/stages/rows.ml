// Element-wise work, broadcasts and reductions over rows, columns and all elements of one matrix: one loop nest.

param bias = zeros(64)

let x = for i in 0..96 { for j in 0..64 { real(i * j) / 100.0 } }

stage s = compute {
  let y = for r in x { tanh(r + bias) }
  log rows = for r in y { sum(r) }
  log columns = sum(y, axis: 0)
  log whole = max(y)
}
