model m() {
  z ~ 1.5
}
let y = sample(m())
