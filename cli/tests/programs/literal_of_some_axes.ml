// A truth value repeated along some axes of a nest was read from memory as if it were as wide as its fellows, where passes that
// make it a literal of the whole shape were left out.

stage s = compute {
  let (a, b) = for x in full(0.37, 5), j in 0..5 {
    (x, select((for i in 0..2 { trues(7) }), sin(x) * cos(0.0556 * reshape(real(iota(14)), 2, 7)), full(0.37, 2, 7)))
  }
  log a = a, b = b
}
