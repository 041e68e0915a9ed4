fn f(x: real[n]) = sum(x) with vjp(dy) { dy * [1.0, 2.0, 3.0] }

stage s = compute {
  let a = [1.0, 2.0]
  log slope = grad(f(a), wrt: a)
}
