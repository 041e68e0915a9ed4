let a = np.exp(1.0)
let b = if True { 1 } else { 2 }
let c = ones(3)[None]
let d = for i in range(10) { i }
let e = where(ones(3) > 0.0, 1.0, 2.0)
let f = maximum(1.0, 2.0)
let g = print(1.0)
let h = vmap(relu)
