net n()(x) {
  param w = zeros(2)
  sum(w * x)
}
net m = n()
stage s = compute { log p = m.params.w }
