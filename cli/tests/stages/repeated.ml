// The reciprocal of a scale that all rows share, by which derivatives multiply, is taken once and then repeated.

let x = randn([40, 3])

param scale = [1.0, 2.0, 3.0]

state g = zeros(40, 3)

stage fit = train for 2 steps { set g = grad(sum(for row in x { sum(square(row / scale)) }), wrt: x) }
