fn affine(x, scale, shift = 0.0) = x * scale + shift
let double = affine(scale: 2.0)
let y = double + 1.0
let z = double(1.0, 2.0, 3.0)
