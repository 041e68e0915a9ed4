optimizer sam(rho = 0.05, inner) for all p, g, f {
  let q = p + rho / (norm(g) + 1e-12) * g
  inner(p, grad(f(q), wrt: q))
}
minimize loss over net using clip(norm: 1.0) |> sam(inner: sgd(lr: |t| 0.1 * table[t]))
