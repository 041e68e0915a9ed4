// Readers of data: columns with types, gaps by rule, NumPy's files, rows that stay on disk.

use std.optim.sgd

data typed = csv("../errors/gaps.csv", columns: {kind: "levels", age: "real"}, missing: drop)
data filled = csv("../errors/gaps.csv", columns: ["age"], missing: -1)
data blank = csv("../errors/gaps.csv", columns: ["age"], missing: nan)
data renamed = csv("../errors/gaps.csv", names: ["years", "color"], skip: 1, columns: ["years"], missing: 0)
data bytes = npy("bytes.npy")
data some = npy("rows.npy", rows: 10..13)
data memory = npy("rows.npy")
data disk = npy("rows.npy", on_disk: true)

data arrays = npz("arrays.npz")
data table_of = parquet("table.parquet", columns: ["n", "x", "ok"], missing: drop)
data levels_of = parquet("table.parquet", columns: {kind: "levels", n: "real"}, missing: -1)
data shades = pictures("pictures")

let (first, rest) = split(disk, at: 30)
let table = {x: first, y: iota(30)}
param w = zeros(3)
state seen = zeros_int(40)

fn loss(b) = mean(for x in b { sum((x - w)^2) })

stage in_memory = train b in memory.batch(7) for 3 epochs { minimize loss(b) over w using sgd(lr: 0.1) }

stage on_disk = train b in disk.batch(7) for 3 epochs { minimize loss(b) over w using sgd(lr: 0.1) }

stage joined = train b in table.shuffle().batch(size: n) for 2 epochs {
  state n = 3
  minimize loss(b.x) over w using sgd(lr: 0.1)
  log apart = max(abs(b.x[.., 0] - 0.3 * real(b.y)))
  set seen[b.row] = seen[b.row] + 1
  set n = n + 1
}

stage behind = train b in rest.batch(4) for 1 epochs { log from = b[0, 0] }

test "columns" {
  assert all(typed.kind == [0, 0]) and close(typed.age, [31.0, 47.0], 0.0)
  assert all(filled.age == [31, -1, 47])
  assert not is_finite(blank.age[1]) and blank.age[2] == 47.0
  assert all(renamed.years == [31, 0, 47])
}

test "parquet" {
  assert all(table_of.n == [1, 3, 4]) and close(table_of.x, [0.5, 1.5, 2.5], 0.0) and all(table_of.ok)
  assert all(levels_of.kind == [1, 0, 1, -1]) and close(levels_of.n, [1.0, 2.0, 3.0, 4.0], 0.0)
}

test "archives and pictures" {
  assert close(arrays.a[1], [3.0, 4.0, 5.0], 0.0) and all(arrays.b[1] == [3, 4, 5])
  assert all(shades.label == [0, 0, 1]) and shades.image[2, 1, 0] == 252
}

test "arrays" {
  assert shape(bytes)[1] == 2 and bytes[5, 1] == 11
  assert close(some[.., 0], [3.0, 3.3, 3.6], 1e-6)
  assert len(disk) == 40 and shape(first)[0] == 30 and len(table) == 30
}

test "rows on disk are those in memory" {
  assert all(in_memory.w == on_disk.w)
  assert max(joined.log.apart) < 1e-6
  assert all(joined.seen[0..30] == 2) and all(joined.seen[30..40] == 0)
  assert close(behind.log.from, [9.0, 10.2, 11.4], 1e-6)
}
