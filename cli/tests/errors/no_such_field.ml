let r = {a: 1.0}
let y = r.b
