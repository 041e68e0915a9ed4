// Where only the condition of an `if` differs from lane to lane, what its sides make of other things was built without the
// lanes' axis: an internal error.

param p = [[0.3616, -0.2]]
param w = [[2.0, 0.3], [0.3, 1.0]]

stage s = compute {
  log a = for x in 0.37 * real(iota(3)) {
    if x > 0.4066180 { full(0.37, 2) } else { dot(p, p) / 1.5 * cos(real(iota(2))) }
  }
  log b = for x in 0.37 * real(iota(3)) {
    if x > 0.4066180 { sum(p, axis: 0) + solve(w, p[0]) } else { sum(cholesky(w) @ transpose(p), axis: 1) }
  }
  log c = for x in 0.37 * real(iota(3)) {
    grad(if x > 0.4066180 { dot(p, p) } else { sum(sqrt(p - p[0, 0])) }, wrt: p)
  }
}

test "each lane takes its side" {
  let a = for x in 0.37 * real(iota(3)) { if x > 0.4066180 { zeros(2) } else { dot(p, p) / 2.0 * ones(2) } }
  assert close(a[1, 0], 0.5 * (0.3616^2 + 0.04), 1e-6) and close(a[2], zeros(2), 0.0)
  let g = for x in 0.37 * real(iota(3)) { grad(if x > 0.4066180 { dot(p, p) } else { sum(p) }, wrt: p) }
  assert close(g[0], ones(1, 2), 0.0) and close(g[2], 2.0 * p, 1e-6)
}
