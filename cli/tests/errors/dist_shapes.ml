use std.dist.normal

let v = normal(zeros(2), ones(3)).variance()
