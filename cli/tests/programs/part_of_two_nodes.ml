// A loop's part that a strict and another derivative read was two nodes, of which only one was written.

param w = 0.37

stage s = compute {
  let (last, rows) = scan (c = 0.37) for i in 0..3, checkpoint: 2 { next c = tanh(c - w); yield full(0.37, 5, 1) }
  log v = last, g = strict { grad(sin(last), wrt: w) }, h = grad(sin(last), wrt: w), r = rows
}
