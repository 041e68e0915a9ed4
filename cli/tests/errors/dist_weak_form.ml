dist spike(at) on real {
  logpdf(x) = -square(x - at)
  mvd() = [at, 1.0]
}

let terms = spike(1.0).mvd()
