// A parameter that a loop of a top-level `let` is the first to mention was made in the loop's body: an internal error in a `scan`
// with draws, and other draws for each lane of a `for`.

param p = 0.7 * rand(2)
param q = 0.7 * rand(2)
param r = 0.7 * rand(2)
let a = scan (c = 0.5) for i in 0..3 { next c = sin(c + sum(p)) }
let b = for i in 0..3 { real(i) * 0.0 + q }
let c = if sum(b) > 0.3183099 { strict { sum(r) } } else { r[0] }

stage s = compute {
  log a, b, c
}

test "all lanes have the same parameter" {
  assert close(b[0], q, 0.0) and close(b[1], q, 0.0)
  assert close(b[2], q, 0.0)
}
