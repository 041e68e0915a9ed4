// A loop on a side of an `if`, differentiated forward: the condition was put on the loop itself, which is no tensor.

param p = [0.5, -0.3]
param q = 0.7

stage s = compute {
  let y = if q > 0.5196180 {
    (scan (c = p) for i in 0..5, checkpoint: 3 { next c = tanh(0.7 * c + q * p) })
  } else {
    p
  }
  log a = jvp(y, wrt: p, along: [1.0, 2.0])
  log b = hvp(sum(y), wrt: p, along: [1.0, 2.0])
  log c = jacobian(y, wrt: p)
  log d = jvp(jacobian(y, wrt: p), wrt: q, along: 1.0)
  log e = grad(dot(jacobian(y, wrt: p), [[1.0, 2.0], [0.5, 0.3]]), wrt: q)
}

test "forward as in reverse" {
  let y = if q > 0.5196180 { (scan (c = p) for i in 0..5 { next c = tanh(0.7 * c + q * p) }) } else { p }
  let j = for w in [[1.0, 0.0], [0.0, 1.0]] { vjp(y, wrt: p, by: w) }
  assert close(jvp(y, wrt: p, along: [1.0, 2.0]), j @ [1.0, 2.0], 1e-6)
}
