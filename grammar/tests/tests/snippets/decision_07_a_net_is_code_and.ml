net mlp(sizes, act = relu)(x: real[sizes[0]]) {
  scan (h = x) for l in 0..len(sizes) - 1, unroll: true {
    net layer[l] = dense(sizes[l], sizes[l + 1])
    next h = if l + 2 < len(sizes) { act(layer[l](h)) } else { layer[l](h) }
  }
}
minimize loss over encode except encode.layer[0] using adam(lr: 1e-3)
