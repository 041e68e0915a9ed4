set teacher = lerp(teacher, student.params, 0.01)
let g = mean(per_example, axis: 0)
let v = cg(|u| hvp(loss, wrt: net, along: u) + 1e-3 * u, g)
