fn f(x: real[n], y: real[n]) = x * y with vjp(dy) { dy }

stage s = compute {
  let a = [1.0, 2.0]
  log r = sum(f(a, [3.0, 4.0]))
}
