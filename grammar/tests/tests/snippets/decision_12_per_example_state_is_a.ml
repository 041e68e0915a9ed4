state memory = {z: zeros_int(100, 2), ok: falses(100)}
let old = memory[b.row]
set memory[b.row] = for (o, n, hit) in (old, fresh, right) { if hit { n } else { o } }
