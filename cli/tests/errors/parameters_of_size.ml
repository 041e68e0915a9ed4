net f()(x: real[t, 2]) {
  param w: real[2, 3] = zeros(2, 3)
  x @ w
}
net n = f()
stage s = compute { log w = n.params.w }
