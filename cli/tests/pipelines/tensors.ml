// The vocabulary of tensors against values worked out by hand.

precision f64

let m = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]

test "reductions over one axis, several, and from the end" {
  assert close(sum(m, axis: -1), [6.0, 15.0], 0.0)
  assert close(sum(m, axis: [0, 1]), 21.0, 0.0)
  assert close(max(m, axis: 0), [4.0, 5.0, 6.0], 0.0)
  assert close(min(m, axis: 1), [1.0, 4.0], 0.0)
  assert close(mean(m, axis: [0]), [2.5, 3.5, 4.5], 0.0)
  assert close(prod(m, axis: 1), [6.0, 120.0], 1e-12)
  assert all(any(m > 5.5, axis: 0) == [false, false, true])
  assert all(all(m > 1.5, axis: 1) == [false, true])
  assert count(m > 2.5) == 4
  assert close(norm(m, axis: 1), [sqrt(14.0), sqrt(77.0)], 1e-12)
  assert close(norm(m), sqrt(91.0), 1e-12)
  assert size(m, axis: 0) == 2 and size(m, axis: [0, 1]) == 6
}

test "of nothing" {
  let none = zeros(0, 3)
  assert close(sum(none, axis: 0), zeros(3), 0.0)
  assert close(prod(none, axis: 0), ones(3), 0.0)
  assert all(max(none, axis: 0) < -1e300)
  assert all(all(none > 0.0, axis: 0)) and not any(none > 0.0)
  assert size(sort(none, axis: 0)) == 0
  assert size(cumprod(none, axis: 0)) == 0
  assert logsumexp(zeros(0)) < -1e300
  assert len(concat(none, ones(2, 3))) == 2
}

test "the derivative of a product, with zeros among the factors, to the third order" {
  let x = [2.0, 0.0, 3.0]
  assert close(grad(prod(x), wrt: x), [0.0, 6.0, 0.0], 0.0)
  let y = [0.0, 0.0, 5.0]
  assert close(grad(prod(y), wrt: y), zeros(3), 0.0)
  let second = grad(dot(grad(prod(y), wrt: y), [1.0, 2.0, 3.0]), wrt: y)
  assert close(second, [10.0, 5.0, 0.0], 0.0)
  let third = grad(dot(second, [1.0, 1.0, 1.0]), wrt: y)
  assert close(third, [2.0 + 3.0, 1.0 + 3.0, 1.0 + 2.0], 0.0)
  let z = [[1.0, 0.0], [3.0, 4.0]]
  assert close(grad(sum(prod(z, axis: 0)), wrt: z), [[3.0, 4.0], [1.0, 0.0]], 0.0)
  let rows = for r in z { grad(prod(r), wrt: r) }
  assert close(rows, [[0.0, 1.0], [4.0, 3.0]], 0.0)
}

test "running sums, products and extremes" {
  let x = [3.0, 0.0, 2.0, 5.0]
  assert close(cumsum(x), [3.0, 3.0, 5.0, 10.0], 0.0)
  assert close(cumprod(x), [3.0, 0.0, 0.0, 0.0], 0.0)
  assert close(cummax(x), [3.0, 3.0, 3.0, 5.0], 0.0)
  assert close(cummin(x), [3.0, 0.0, 0.0, 0.0], 0.0)
  let w = [1.0, 1.0, 1.0, 1.0]
  // By 3: 1 + 0; by 0: 3 + 3*2 + 3*2*5; by 2 and 5: 0.
  assert close(grad(dot(cumprod(x), w), wrt: x), [1.0, 39.0, 0.0, 0.0], 1e-12)
  assert close(grad(sum(cummax(x)), wrt: x), [3.0, 0.0, 0.0, 1.0], 0.0)
  assert close(grad(sum(cummin(x)), wrt: x), [1.0, 3.0, 0.0, 0.0], 0.0)
  assert close(jvp(cummax(x), wrt: x, along: [1.0, 2.0, 4.0, 8.0]), [1.0, 1.0, 1.0, 8.0], 0.0)
  assert close(cumsum(m, axis: 0), [[1.0, 2.0, 3.0], [5.0, 7.0, 9.0]], 0.0)
  assert close(grad(sum(cummax(m, axis: 1)), wrt: m), ones(2, 3), 0.0)
  assert close(diff(x), [-3.0, 2.0, 3.0], 0.0)
  assert close(diff(m, axis: 0), full(3.0, 1, 3), 0.0)
}

test "sums of exponentials" {
  assert close(logsumexp(m, axis: 0), [4.0, 5.0, 6.0] + log1p(exp(-3.0)), 1e-12)
  assert close(sum(softmax(m), axis: 1), ones(2), 1e-12)
  assert close(sum(softmax(m, axis: 0), axis: 0), ones(3), 1e-12)
  assert close(exp(log_softmax(m)), softmax(m), 1e-12)
  assert close(logmeanexp(m, axis: 1), logsumexp(m, axis: 1) - log(3.0), 1e-12)
  let far = [0.0, 1000.0, -1000.0, 1000.0]
  assert close(logcumsumexp(far), [0.0, 1000.0, 1000.0, 1000.0 + log(2.0)], 1e-12)
  let x = [0.1, 0.7, -0.3]
  assert close(logcumsumexp(x), log(cumsum(exp(x))), 1e-12)
  assert close(
    grad(sum(logcumsumexp(x)), wrt: x),
    grad(sum(log(cumsum(exp(x)))), wrt: x),
    1e-12,
  )
  assert close(logcumsumexp([-inf, -inf, 1.0])[2], 1.0, 1e-12)
}

test "variance and quantiles" {
  let x = [1.0, 4.0, 2.0, 9.0]
  assert close(var(x), 9.5, 1e-12) and close(var(x, ddof: 1), 38.0 / 3.0, 1e-12)
  assert close(std(m, axis: 1), full(sqrt(2.0 / 3.0), 2), 1e-12)
  assert close(var(m, axis: [0, 1]), 35.0 / 12.0, 1e-12)
  assert close(median(x), 3.0, 0.0) and close(median([3, 1, 2]), 2.0, 0.0)
  assert close(quantile(x, 0.25), 1.75, 1e-12) and close(quantile(x, 1.0), 9.0, 0.0)
  assert close(median(m, axis: 0), [2.5, 3.5, 4.5], 0.0)
  assert close(grad(median(x), wrt: x), [0.0, 0.5, 0.5, 0.0], 0.0)
  assert not is_finite(median([1.0, nan, 2.0]))
}

test "places of extremes" {
  let x = [2.0, 7.0, 7.0, 1.0]
  assert argmax(x) == 1 and argmin(x) == 3
  assert all(argmax(m, axis: -1) == [2, 2]) and all(argmin(m, axis: 0) == [0, 0, 0])
  assert argmax([1.0, nan, 9.0]) == 1
  assert argmax(x < 5.0) == 0 and argmin([3, -2147483647 - 1, 4]) == 1
  assert all((for r in m { argmax(-r) }) == [0, 0])
}

test "einsum" {
  let x = [[1.0, 2.0], [3.0, 4.0]]
  let y = [[0.5, -1.0], [2.0, 0.0]]
  let v = [1.0, -1.0]
  assert close(einsum([i, k], x[i, j], y[j, k]), x @ y, 0.0)
  assert close(einsum([k, i], x[i, j], y[j, k]), (x @ y).T, 0.0)
  assert close(einsum([], x[i, i]), 5.0, 0.0)
  assert close(einsum([i], x[i, i]), [1.0, 4.0], 0.0)
  assert close(einsum([j], x[i, j]), [4.0, 6.0], 0.0)
  assert close(einsum([i, j], v[i], v[j]), outer(v, v), 0.0)
  assert close(einsum([], v[i], x[i, j], v[j]), 0.0, 0.0)
  assert close(einsum([i, l], x[i, j], y[j, k], x[k, l]), x @ y @ x, 1e-12)
  assert close(einsum([i, j], x[i, j], y[i, j]), x * y, 0.0)
  assert close(einsum([i], x[i, j], 2.0), [6.0, 14.0], 0.0)
  assert close(grad(einsum([], v[i], x[i, j], v[j]), wrt: v), [2.0 - 5.0, 5.0 - 8.0], 1e-12)
  let rows = for r in x { einsum([], r[i], y[i, j], r[j]) }
  assert close(rows, [0.5 + 2.0 * (2.0 - 1.0), 4.5 + 12.0], 1e-12)
  let t = reshape(real(iota(8)), 2, 2, 2)
  assert close(einsum([j], t[i, i, j]), [6.0, 8.0], 0.0)
  assert all(einsum([i, k], [[1, 2], [3, 4]][i, j], [[1, 0], [1, 1]][j, k]) == [[3, 2], [7, 4]])
}

test "stacks of matrices" {
  let a = reshape(real(iota(12)), 2, 2, 3)
  let b = reshape(real(iota(6)), 2, 3, 1)
  assert close(a @ b, [[[5.0], [14.0]], [[86.0], [122.0]]], 0.0)
  assert close(a @ b, for (p, q) in (a, b) { p @ q }, 0.0)
  assert close(grad(sum(a @ b), wrt: b), for p in a { transpose(p) @ ones(2, 1) }, 0.0)
}

test "indices" {
  let x = [10.0, 20.0, 30.0, 40.0, 50.0]
  assert close(x[1..5: 2], [20.0, 40.0], 0.0) and close(x[..: 3], [10.0, 40.0], 0.0)
  assert close(x[-2..], [40.0, 50.0], 0.0) and close(x[..-3], [10.0, 20.0], 0.0)
  assert close(x[-1], 50.0, 0.0)
  assert close(x[[0, -1]], [10.0, 50.0], 0.0)
  assert close(x[[[0, 1], [2, 3]]], [[10.0, 20.0], [30.0, 40.0]], 0.0)
  assert close(m[.., 1], [2.0, 5.0], 0.0) and close(m[1, 0..2], [4.0, 5.0], 0.0)
  let i = int(2.0 * ones(2, 2))
  assert close(x[i], full(30.0, 2, 2), 0.0) and close(m[.., i][1, 0], [6.0, 6.0], 0.0)
  // An index computed at run time means the nearest inside.
  assert close(x[100 * int(ones(1))], [50.0], 0.0) and close(x[-int(ones(1))], [10.0], 0.0)
  assert close(take(m, [2, 0], axis: 1), [[3.0, 1.0], [6.0, 4.0]], 0.0)
  assert close(take(m, 1..3, axis: -1), m[.., 1..3], 0.0)
  assert close(take_along(m, [[2, 0], [1, 1]]), [[3.0, 1.0], [5.0, 5.0]], 0.0)
  assert close(take_along(m, [[1, 0, 1]], axis: 0), [[4.0, 2.0, 6.0]], 0.0)
  let g = grad(sum(square(take_along(m, [[2, 0], [1, 1]]))), wrt: m)
  assert close(g, [[2.0, 0.0, 6.0], [0.0, 20.0, 0.0]], 1e-12)
}

test "adding and putting at indices" {
  let x = zeros(4)
  let v = [1.0, 2.0, 3.0]
  assert close(scatter_add(x, at: [1, 1, 3], values: v), [0.0, 3.0, 0.0, 3.0], 0.0)
  assert close(put(x + 7.0, [1, 1, 3], v), [7.0, 2.0, 7.0, 3.0], 0.0)
  assert close(put(x, [3, 0, 3], 5.0), [5.0, 0.0, 0.0, 5.0], 0.0)
  assert close(put(x, 2, 5.0), [0.0, 0.0, 5.0, 0.0], 0.0)
  assert close(put(m, 1, [7.0, 8.0, 9.0]), [[1.0, 2.0, 3.0], [7.0, 8.0, 9.0]], 0.0)
  assert close(grad(sum(square(put(x, [1, 1, 3], v))), wrt: v), [0.0, 4.0, 6.0], 0.0)
  let more = scatter_add(m, at: [0, 0], values: [[1.0, 1.0], [2.0, 2.0]], axis: 1)
  assert close(more - m, [[2.0, 0.0, 0.0], [4.0, 0.0, 0.0]], 0.0)
  let lanes = for k in 0..3 { put(zeros(3), k, 1.0) }
  assert close(lanes, [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], 0.0)
  let many = for k in 0..2 { put(zeros(3), [0, 0] + k, [1.0, 2.0]) }
  assert close(many, [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]], 0.0)
}

test "joined, padded, turned, repeated" {
  let v = [1.0, 2.0, 3.0]
  assert close(concat(v, [9.0]), [1.0, 2.0, 3.0, 9.0], 0.0)
  assert close(concat([m, m], axis: -1)[0], concat(v, v), 0.0)
  assert close(stack(v, v, axis: 1), [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]], 0.0)
  assert close(stack([v, v]), [v, v], 0.0)
  assert close(pad(v, 1), [0.0, 1.0, 2.0, 3.0, 0.0], 0.0)
  assert close(pad(v, (0, 2), value: 7.0), [1.0, 2.0, 3.0, 7.0, 7.0], 0.0)
  assert close(pad(m, [0, (1, 0)]), [[0.0, 1.0, 2.0, 3.0], [0.0, 4.0, 5.0, 6.0]], 0.0)
  assert close(sum(pad(m, 1, axis: 0, value: 2.0)), 21.0 + 12.0, 0.0)
  assert close(take(v, iota(5) - 1), [1.0, 1.0, 2.0, 3.0, 3.0], 0.0)
  assert close(flip(m, axis: [0, 1]), [[6.0, 5.0, 4.0], [3.0, 2.0, 1.0]], 0.0)
  assert close(roll(v, 1), [3.0, 1.0, 2.0], 0.0) and close(roll(v, -4), [2.0, 3.0, 1.0], 0.0)
  assert close(roll(m, 1, axis: 1), [[3.0, 1.0, 2.0], [6.0, 4.0, 5.0]], 0.0)
  assert close(repeat([1.0, 2.0], 2), [1.0, 1.0, 2.0, 2.0], 0.0)
  assert close(tile([1.0, 2.0], 2), [1.0, 2.0, 1.0, 2.0], 0.0)
  assert close(repeat(m, 2, axis: 1)[0], [1.0, 1.0, 2.0, 2.0, 3.0, 3.0], 0.0)
  let (a, b, c) = split(real(iota(6)), at: [1, 4])
  assert close(a, [0.0], 0.0) and close(b, [1.0, 2.0, 3.0], 0.0) and close(c, [4.0, 5.0], 0.0)
  assert close(chunks(m, 3, axis: 1)[1], [[2.0], [5.0]], 0.0)
  assert close(grad(sum(square(pad(v, 1, value: 2.0))), wrt: v), 2.0 * v, 0.0)
  assert close(grad(dot(roll(v, 1), [1.0, 2.0, 3.0]), wrt: v), [2.0, 3.0, 1.0], 0.0)
}

test "other shapes" {
  assert close(reshape(m, 3, -1), [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], 0.0)
  assert close(reshape(m, -1), flatten(m), 0.0)
  let t = reshape(real(iota(24)), 2, 3, 4)
  assert all(stack(shape(transpose(t, [2, 0, 1]))) == [4, 2, 3]) and all(stack(shape(transpose(t))) == [4, 3, 2])
  assert all(stack(shape(swapaxes(t, 0, -1))) == [4, 3, 2]) and all(stack(shape(moveaxis(t, 0, -1))) == [3, 4, 2])
  assert close(moveaxis(t, -1, 0)[1], t[.., .., 1], 0.0)
  assert all(stack(shape(insert_axis(m, -1))) == [2, 3, 1]) and close(drop_axis(insert_axis(m, 1), 1), m, 0.0)
  assert close(broadcast_to([1.0, 2.0, 3.0], 2, 3), [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], 0.0)
  assert close(broadcast_to([[1.0], [2.0]], 2, 3), [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]], 0.0)
  assert close(m - spread(mean(m, axis: 1), like: m, axis: 1), [[-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]], 0.0)
  let r = {a: [1.0, 2.0], b: 3.0, c: m}
  let back = unflatten(2.0 * flatten(r), like: r)
  assert close(back.c, 2.0 * m, 0.0) and close(back.b, 6.0, 0.0)
}

test "made of sizes" {
  assert close(linspace(0.0, 1.0, 5), [0.0, 0.25, 0.5, 0.75, 1.0], 0.0) and close(linspace(2.0, 3.0, 1), [2.0], 0.0)
  assert all(iota(4) == [0, 1, 2, 3]) and all(iota(3..6) == [3, 4, 5])
  assert all(iota(2, 2, axis: 1) == [[0, 1], [0, 1]])
  assert close(tril(ones(2, 3)), [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]], 0.0)
  assert close(triu(ones(2, 3), k: 1), [[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]], 0.0)
  assert close(one_hot([2, 0], 3), [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], 0.0)
  assert close(for i in list(0..3) { real(i) * [1.0, 2.0] }, [[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]], 0.0)
  assert len(append(list(0..2), 7)) == 3 and append([1], 7)[1] == 7
  assert close(for r in list(m) { sum(r) }, [6.0, 15.0], 0.0)
}

test "order" {
  let x = [3.0, 1.0, 2.0, 1.0]
  assert close(sort(x), [1.0, 1.0, 2.0, 3.0], 0.0) and close(sort(x, descending: true), [3.0, 2.0, 1.0, 1.0], 0.0)
  assert all(argsort(x) == [1, 3, 2, 0]) and all(argsort(x, descending: true) == [0, 2, 1, 3])
  assert all(ranks(x) == [3, 0, 2, 1])
  assert all(argsort([nan, 1.0, -inf]) == [2, 1, 0]) and all(argsort([nan, 1.0, inf], descending: true) == [2, 1, 0])
  let (best, at) = top_k(x, 2)
  assert close(best, [3.0, 2.0], 0.0) and all(at == [0, 2])
  assert close(sort([[2.0, 1.0], [0.0, 3.0]], axis: 0), [[0.0, 1.0], [2.0, 3.0]], 0.0)
  assert close(grad(dot(sort(x), [1.0, 2.0, 3.0, 4.0]), wrt: x), [4.0, 1.0, 3.0, 2.0], 0.0)
  assert close(for r in [[2.0, 1.0], [0.0, 3.0]] { sort(r) }, [[1.0, 2.0], [0.0, 3.0]], 0.0)
  let wide = for k in 0..40 { real(mod(17 * k, 40)) }
  assert close(sort(wide), real(iota(40)), 0.0)
}

test "counts and edges" {
  assert count([true, false, true]) == 2 and all(bincount([0, 2, 2, 5, -1], 3) == [1, 0, 2])
  let edges = [0.0, 1.0, 2.0]
  assert all(searchsorted(edges, [-1.0, 0.0, 0.5, 2.0, 3.0]) == [0, 0, 1, 2, 3])
  assert all(searchsorted(edges, [0.0, 2.0], right: true) == [1, 3]) and searchsorted(edges, 1.5) == 2
  assert all(histogram([0.0, 0.5, 1.0, 2.0, 2.5, -0.1], edges) == [2, 2])
}

test "of each lane its own" {
  let x = [[3.0, 0.0, 2.0], [1.0, 5.0, 4.0]]
  assert close(for r in x { cumprod(r) }, cumprod(x, axis: 1), 0.0)
  assert close(for r in x { median(r) }, [2.0, 4.0], 0.0)
  let (best, at) = for r in x { top_k(r, 1) }
  assert close(best, [[3.0], [5.0]], 0.0) and all(at == [[0], [1]])
  assert close(for r in x { grad(prod(r), wrt: r) }, [[0.0, 6.0, 0.0], [20.0, 4.0, 5.0]], 0.0)
  assert close(for r in x { grad(sum(cummax(r)), wrt: r) }, [[3.0, 0.0, 0.0], [1.0, 2.0, 0.0]], 0.0)
  assert close(for r in x { pad(r, 1)[0..3] }, [[0.0, 3.0, 0.0], [0.0, 1.0, 5.0]], 0.0)
  assert close(for r in x { grad(grad(prod(r), wrt: r)[1], wrt: r) }, [[2.0, 0.0, 3.0], [4.0, 0.0, 1.0]], 0.0)
}

test "sides of a choice that are lists" {
  let x = [1.0, 2.0]
  let c = sum(x) > 1.0
  assert close(if c { x + 1.0 } else { [7.0, 8.0] }, [2.0, 3.0], 0.0)
  assert close(if not c { x + 1.0 } else { [7.0, 8.0] }, [7.0, 8.0], 0.0)
  assert close(select(x > 1.5, x, [7.0, 8.0]), [7.0, 2.0], 0.0)
}
