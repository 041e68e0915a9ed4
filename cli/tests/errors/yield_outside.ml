fn f() {
  yield 1.0
}
let y = f()
