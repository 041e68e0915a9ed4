// What is asked of data before a stage starts: rows that stay, values that occur, numbers as sizes.

data iris = csv("../../../examples/data/breast_cancer.csv")

let xs = [1.0, -2.0, 3.0, 0.5, -1.0]
let positive = filter(xs, |x| x > 0.0)
let kinds = [2, 0, 2, 1, 0, 2]
let values = unique(kinds)
let n = known(max(kinds)) + 1
let table = {x: [1.0, 2.0, 3.0], k: [0, 1, 0]}
let zeros_only = filter(table, |r| r.k == 0)
let benign = filter(iris, |r| r.benign == 1)
let again = filter(positive, |x| x < 2.0)

test "filter" {
  assert close(positive, [1.0, 3.0, 0.5], 0.0)
  assert close(again, [1.0, 0.5], 0.0)
  assert close(zeros_only.x, [1.0, 3.0], 0.0)
  assert len(benign.benign) == 357
  assert all(benign.benign == 1)
}

test "unique and known" {
  assert all(values == [0, 1, 2])
  assert n == 3
  let h = one_hot(kinds, n)
  assert close(sum(h, axis: 0), [2.0, 1.0, 3.0], 0.0)
}
