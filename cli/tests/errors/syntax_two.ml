let a = 1 +
let b = 3 ** 2
minimize a over b
