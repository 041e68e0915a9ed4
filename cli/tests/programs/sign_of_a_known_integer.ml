// `sign` of an integer known at compile time was a real, where that of an int tensor is an integer.

stage s = compute {
  log a = zeros_int(3) + sign(-8)
  log b = div(7 * sign(3), 2)
}

test "signs" { assert all(zeros_int(2) + sign(-8) == [-1, -1]) and div(7 * sign(3), 2) == 3 and sign(0) == 0 }
