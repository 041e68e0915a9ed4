net n()(x: real[2]) {
  param w = x
  w * x
}
net m = n()
stage s = compute { log y = m(zeros(2)) }
