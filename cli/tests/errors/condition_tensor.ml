let x = zeros(3)
let y = if x > 0.0 { x } else { -x }
