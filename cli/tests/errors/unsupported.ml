// What is left out of this version: see the end of the reference.
net mix()(x: real[3]) {
  scan (h = x) for i in 0..10 {
    tap before = h
    next h = tanh(h)
  }
}

net m = mix()

test "each step" { assert is_finite(sum(taps(m([1.0, 2.0, 3.0]))[0])) }
