use std.dist.{normal, nromal}
let a = 3 ** 2
let b = f(2
let c = unknown_name + 1.0
let d = zeros(2) + zeros(3)
let d = 1.0
fn f(x) {
  let y = x &&
  return y
}
stage s = compute {
  let u = zeros(-3)
  let v = u + 1.0
  log w = v, x = ones(3)[7]
  log z = ones(3) @ ones(4)
}
test "t" {
  assert ones(3) > 0.0
  assert zeros(3).sum == 0.0
}
