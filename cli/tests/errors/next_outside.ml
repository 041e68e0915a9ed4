fn f() {
  next x = 1.0
}
let y = f()
