// `scan`: values, derivatives of every kind, draws, lanes.

precision f64

let xs = [0.5, -1.0, 2.0, 0.25, -0.75, 1.5, 0.1]
param w = [[0.3, -0.2], [0.1, 0.4]]
param a = 0.9

fn cell(h, x) = tanh(h @ w + x)

fn run(x0) = scan (h = x0) for x in xs { next h = cell(h, x) }

fn unrolled(x0) = scan (h = x0) for x in xs, unroll: true { next h = cell(h, x) }

fn kept(x0) = scan (h = x0) for x in xs, checkpoint: 3 { next h = cell(h, x) }

test "a loop is the body repeated" {
  assert close(run([0.1, 0.2]), unrolled([0.1, 0.2]), 1e-14)
  assert close(kept([0.1, 0.2]), unrolled([0.1, 0.2]), 1e-14)
}

test "derivatives by what is captured, by the start, by the slices" {
  assert close(grad(sum(run([0.1, 0.2])), wrt: w), grad(sum(unrolled([0.1, 0.2])), wrt: w), 1e-13)
  assert close(grad(sum(kept([0.1, 0.2])), wrt: w), grad(sum(unrolled([0.1, 0.2])), wrt: w), 1e-13)
  let x0 = [0.1, 0.2]
  assert close(grad(sum(run(x0)), wrt: x0), grad(sum(unrolled(x0)), wrt: x0), 1e-13)
  let ys = 1.0 * xs
  let f = scan (h = x0) for y in ys { next h = cell(h, y) }
  let g = scan (h = x0) for y in ys, unroll: true { next h = cell(h, y) }
  assert close(grad(sum(f), wrt: ys), grad(sum(g), wrt: ys), 1e-13)
}

test "second derivatives, forward over reverse and reverse over reverse" {
  let x0 = [0.1, 0.2]
  let v = [1.0, -2.0]
  assert close(hvp(sum(run(x0)), wrt: x0, along: v), hvp(sum(unrolled(x0)), wrt: x0, along: v), 1e-12)
  assert close(hvp(sum(kept(x0)), wrt: x0, along: v), hvp(sum(unrolled(x0)), wrt: x0, along: v), 1e-12)
  assert close(jvp(run(x0), wrt: x0, along: v), jvp(unrolled(x0), wrt: x0, along: v), 1e-13)
  assert close(jvp(grad(sum(run(x0)), wrt: x0), wrt: x0, along: v), hvp(sum(unrolled(x0)), wrt: x0, along: v), 1e-12)
}

test "under for, with lanes of the start, of the slices, of neither" {
  let starts = [[0.1, 0.2], [-1.0, 0.5], [0.0, 0.0]]
  let many = for s in starts { run(s) }
  let one = for s in starts { unrolled(s) }
  assert close(many, one, 1e-14)
  let rows = for k in 0..3 { for x in xs { x * real(k) } }
  let sums = for r in rows { scan (s = 0.0) for x in r { next s = a * s + x } }
  let again = for r in rows { scan (s = 0.0) for x in r, unroll: true { next s = a * s + x } }
  assert close(sums, again, 1e-14)
  assert close(grad(sum(sums * sums), wrt: a), grad(sum(again * again), wrt: a), 1e-11)
  let per_lane = for s in starts { grad(sum(run(s)), wrt: w) }
  let per_lane_again = for s in starts { grad(sum(unrolled(s)), wrt: w) }
  assert close(per_lane, per_lane_again, 1e-13)
}

test "rows, several carries, several generators" {
  let (last, rows) = scan (s = 0.0, n = 0) for x in xs { next s = s + x; next n = n + 1; yield s * real(n) }
  assert close(last.s, sum(xs), 1e-14)
  assert last.n == 7
  assert close(rows[6], 6.0 * (sum(xs) - xs[6]), 1e-13)
  assert close(rows[1], xs[0], 1e-14)
  let (total, pairs) = scan (t = 0) for i in 0..3, j in 1..5 { next t = t + i * j; yield 10 * i + j }
  assert total == 30
  assert all(pairs == [1, 2, 3, 4, 11, 12, 13, 14, 21, 22, 23, 24])
}

test "while" {
  let r = scan (x = 1.0, n = 0) while abs(x * x - 2.0) > 1e-12, max: 50 {
    next x = 0.5 * (x + 2.0 / x)
    next n = n + 1
  }
  assert close(r.x, sqrt(2.0), 1e-14)
  assert r.n == 5
  let roots = for c in [1.0, 2.0, 9.0, 100.0] {
    scan (x = c, n = 0) while abs(x * x - c) > 1e-10, max: 50 { next x = 0.5 * (x + c / x); next n = n + 1 }
  }
  assert close(roots.x, [1.0, sqrt(2.0), 3.0, 10.0], 1e-9)
  assert roots.n[0] == 0 and roots.n[3] > roots.n[1]
}

test "draws differ from iteration to iteration and lane to lane" {
  let (_, u) = scan (c = 0.0) for i in 0..100 { next c = c; yield rand() }
  assert max(u) - min(u) > 0.8
  assert close(mean(u), 0.5, 0.15)
  let lanes = for k in 0..50 {
    let (_, v) = scan (c = 0.0) for i in 0..40 { next c = c; yield rand() }
    v
  }
  assert close(var(lanes), 1.0 / 12.0, 0.01)
  assert abs(mean((lanes[0] - mean(lanes[0])) * (lanes[1] - mean(lanes[1])))) < 0.05
  let (_, k1) = scan (c = 0.0) for i in 0..10 { next c = c; yield 0.0 * rand() }
  assert close(k1, zeros(10), 1e-15)
}

test "a carry may be a record" {
  let out = scan (s = {p: 1.0, v: 0.0}) for i in 0..10 {
    let acc = -s.p
    next s = {p: s.p + 0.1 * s.v, v: s.v + 0.1 * acc}
  }
  assert abs(out.p) < 1.0
}
