fn matvec(v) { let (a, b) = halves(v); concat(s @ b, s.T @ a) }
let d = cg(matvec, g, precond: |v| v / diag)
let r = {..prev, pres: z_pres}
let a = if rank(p) == 2 { orthogonal(m) } else { m }
