param w = 0.0
stage fit = train for 4 steps {
  set w = w + 1.0
  every 1 steps { log a = [1.0] + [1.0, 2.0] }
  every 2 steps { log b = [1.0, 2.0] + [1.0, 2.0, 3.0] }
}
stage look = report after fit {
  plot [1.0, 2.0, 3.0] + [1.0, 2.0], title: "no sum"
  plot 3.0 @ 2.0, title: "no product"
}
