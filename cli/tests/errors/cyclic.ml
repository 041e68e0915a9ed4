let a = b + 1
let b = a + 1
stage s = compute { log v = a }
