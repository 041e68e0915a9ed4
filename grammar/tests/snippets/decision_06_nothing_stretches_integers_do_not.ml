fn dense(x: real[i], w: real[i, o], b: real[o]) -> real[o] = x @ w + b     // rows come from `for`
let centred = for r in x { r - mu }
