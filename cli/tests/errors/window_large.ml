use std.conv.conv2d

let y = conv2d(ones(1, 2, 2), ones(1, 1, 4, 4))
