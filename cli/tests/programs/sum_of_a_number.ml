// A sum over no axes was computed in one loop nest with what reads it, before it had its value, in code without the pass
// that takes it away.

fn f(x, y) {
  let (v, (g, h)) = value_and_grad(sum(tanh(0.5 * x + 0.25 * y)), wrt: (x, y))
  tanh(g + v * h)
}

stage s = compute {
  log a = f(0.37, 0.37)
  log b = sum(full(0.37, 1, 1), axis: []) * full(0.5, 1, 1)
}
