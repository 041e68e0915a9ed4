param a = 2.0

fn f(x) = a * x with vjp(dy) { 2.0 * dy }

stage s = compute { log slope = grad(f(3.0 * a), wrt: a) }
