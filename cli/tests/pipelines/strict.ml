// What `strict` promises: sums, products and matrix products in index order, one after another, in 32 bits.

let lost = 1.0 * [1e8, 1.0, -1e8, 1.0]

test "a strict sum runs from first to last" {
  // ((1e8 + 1) - 1e8) + 1 = 1 in 32 bits; in sixteen lanes the ones meet each other first.
  assert strict { sum(lost) } == 1.0
  assert sum(lost) == 2.0
  assert strict { mean(lost) } == 0.25
  assert strict { dot(lost, ones(4)) } == 1.0
  assert strict { lost @ ones(4, 1) } [0] == 1.0
  assert strict { sum(reshape(lost, 2, 2)) } == 1.0
}

test "rows and columns are folded in order" {
  let table = reshape(lost, 4, 1)
  assert strict { sum(table, axis: 0) } [0] == 1.0
  let wide = transpose(for i in 0..40 { lost })
  assert strict { sum(wide, axis: 0) } [39] == 1.0
  assert strict { sum(transpose(wide), axis: 1) } [39] == 1.0
}

test "a strict product runs from first to last" {
  let x = [1e30, 1e30, 1e-30, 1e-30]
  assert strict { prod(x) } == inf
}

test "lanes of a for are strict on their own" {
  let rows = for i in 0..3 { strict { sum(lost * real(i)) } }
  assert rows[0] == 0.0
  assert rows[1] == 1.0
  assert rows[2] == 2.0
}

test "derivatives of strict sums are strict" {
  // The derivative by s of the product adds the elements of `lost` in order.
  let s = 3.0
  assert strict { grad(sum(s * lost), wrt: s) } == 1.0
  let d = strict { sum(s * lost) }
  assert grad(d, wrt: s) == 1.0
  assert grad(sum(s * lost), wrt: s) == 2.0
}

fn collapsed(x) = log(sum(exp(x - max(x)))) + max(x) - x[0]

test "softmax collapses where the probabilities of the others are lost one by one" {
  // exp(-17) is below half a unit in the last place of 1: 16384 of them, added to 1 one by one, change nothing.
  let logits = concat([[17.0], zeros(16384)])
  assert strict { collapsed(logits) } == 0.0
  assert collapsed(logits) > 6e-4
}
