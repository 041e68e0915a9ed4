net n()(x: real[2]) {
  param w = zeros(2)
  sum(w * x)
}
net m = n()
stage s = compute { log y = m.with({v: zeros(2)})(zeros(2)) }
