// Integers and truth values as tensors.

let a = [7, -7, 3, 0]
let b = [2, 2, -2, 5]

test "arithmetic" {
  assert all(div(a, b) == [3, -4, -2, 0]) and all(mod(a, b) == [1, 1, -1, 0])
  assert all(a + b == [9, -5, 1, 5]) and all(2 * a == [14, -14, 6, 0]) and all(-a == [-7, 7, -3, 0])
  assert all(max(a, b) == [7, 2, 3, 5]) and all(min(a, 1) == [1, -7, 1, 0])
  assert all(abs(a) == [7, 7, 3, 0]) and all(sign(a) == [1, -1, 1, 0])
  assert all((a < b) == [false, true, false, true]) and all((a >= 3) == [true, false, true, false])
  assert all(mod(a, 0) == zeros_int(4)) and div(-7, 2) == -4 and mod(-7, 2) == 1
}

test "over all and so far" {
  assert sum(a) == 3 and prod(a) == 0 and max(a) == 7 and min(a) == -7
  assert argmax(a) == 0 and argmin(a) == 1
  assert all(cumsum(a) == [7, 0, 3, 3]) and all(cumprod([1, 2, 3]) == [1, 2, 6])
  assert all(cummax(a) == [7, 7, 7, 7]) and all(cummin(a) == [7, -7, -7, -7])
  assert all(sum([[1, 2], [3, 4]], axis: 0) == [4, 6]) and all(max([[1, 2], [3, 4]], axis: 1) == [2, 4])
  // Sums wrap around at 32 bits.
  assert sum([2147483647, 1]) == -2147483647 - 1
}

test "conversions" {
  assert close(real(a), [7.0, -7.0, 3.0, 0.0], 0.0) and all(int([1.9, -1.9, 2.0]) == [1, -1, 2])
  assert all(bool(a) == [true, true, true, false]) and all(int([true, false]) == [1, 0])
  assert all(int([nan, 1e20]) == [0, 2147483647])
}

test "bits" {
  assert all(bit_and(a, 3) == [3, 1, 3, 0]) and all(bit_or(a, b) == [7, -5, -1, 5])
  assert all(bit_xor(a, b) == [5, -5, -3, 5])
  assert all(shift_left(a, 1) == 2 * a) and all(shift_right(a, 1) == [3, -4, 1, 0]) and bit_xor(6, 3) == 5
  assert all(shift_right(shift_left(iota(70), iota(70)), iota(70))[0..20] == iota(20))
}

test "truth" {
  let p = [true, true, false]
  let q = [true, false, false]
  assert all((p and q) == q) and all((p or q) == p) and all((not p) == [false, false, true])
  assert any(p) and not all(p) and count(p) == 2 and all(count([p, q], axis: 1) == [2, 1])
  assert all((p == q) == [true, false, true]) and all((p != q) == [false, true, false])
  assert all(select(p, q, p) == [true, false, false]) and all(select(p, [1, 2, 3], 0) == [1, 2, 0])
}

test "pieces" {
  assert all(a[[0, 2]] == [7, 3]) and all(a[1..3] == [-7, 3]) and all(take(a, [3, 0]) == [0, 7])
  assert all(concat(a, [1]) == [7, -7, 3, 0, 1]) and all(stack(a, b)[1] == b)
  assert all(concat([true], [false, true]) == [true, false, true]) and all(stack([true], [false]) == [[true], [false]])
  assert all(flip(a) == [0, 3, -7, 7]) and all(roll(a, 1) == [0, 7, -7, 3]) and all(pad(a, 1)[0..2] == [0, 7])
  assert all(pad([true], 1) == [false, true, false]) and all(pad([false], 1, value: true) == [true, false, true])
  assert all(sort(a) == [-7, 0, 3, 7]) and all(sort(a, descending: true) == [7, 3, 0, -7])
  assert all(scatter_add(zeros_int(3), at: [0, 0, 2], values: [1, 2, 3]) == [3, 0, 3])
  assert all(put(a, [0, 0], [1, 2]) == [2, -7, 3, 0]) and all(repeat([1, 2], 2) == [1, 1, 2, 2])
}

test "lanes" {
  assert all((for n in a { n * n }) == [49, 49, 9, 0])
  assert all((for (n, k) in (a, b) { max(n, k) }) == [7, 2, 3, 5])
  assert all((for r in [[3, 1], [2, 4]] { argmax(r) }) == [0, 1])
  assert all((for r in [[3, 1], [2, 4]] { sort(r) }) == [[1, 3], [2, 4]])
  assert all((for t in [true, false] { if t { 1 } else { 2 } }) == [1, 2])
  assert all((for i in 0..3 { shift_left(1, i) }) == [1, 2, 4])
}
