fn f(x) {
  x + 1
  x
}
let y = f(2.0)
