fn grad(x) = 2.0 * x

fn f(stop) = stop + 1.0

stage s = compute {
  let sample = f(1.0)
  log y = grad(sample)
}
