optimizer adam(lr: schedule = 1e-3, b1 = 0.9, b2 = 0.999, eps = 1e-8) for p, g {
  state m = zeros_like(p)
  state v = zeros_like(p)
  set m = lerp(g, m, b1)
  set v = lerp(g * g, v, b2)
  p - lr(step) * debias(m, b1, step) / (sqrt(debias(v, b2, step)) + eps)
}
