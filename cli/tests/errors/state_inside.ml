fn f() {
  state a: real = 1.0
  a
}
let y = f()
