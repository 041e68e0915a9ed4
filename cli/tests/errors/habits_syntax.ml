def f(x): return x
let a = lambda x: x
let b = 2 if true else 3
let c = [x for x in 0..3]
let d = zeros(3, 4)[:, 0]
let e = sum(zeros(3), axis=0)
let g = 3 ** 2
let h = 1.
let i = .5
import numpy as np
let given = 3
fn k(x) {
  x += 1
  return x
}
let l = true && false || !true
fn m(x) {
  for i in range(10):
    x
}
fn n(x) {
  while x > 1 { x }
}
fn o(x) {
  if x > 1 { x } elif x > 2 { x }
}
let p = 'text'
let q = 3 +
x = 3
let s = zeros(3)[0:2]
let t = 7 % 3
