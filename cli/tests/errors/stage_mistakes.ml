param w = 0.0
let two = [1.0, 2.0]
stage fit = train for 4 steps {
  set w = w + 1.0
  every 1 steps { log a = two + [1.0] }
  every 2 steps { log b = two + [1.0, 2.0, 3.0] }
}
stage look = report {
  plot two + [1.0, 2.0, 3.0], title: "no sum"
  plot two @ 2.0, title: "no product"
}
