// Batches whose size changes: `batch(size: e)` is read between steps.

precision f64

use std.optim.sgd
use std.schedules.rung

let table = {x: for i in 0..20 { real(i) }}

test "rungs" {
  assert all((for n in 1..26 { rung(n) }) == int([
    1.0, 2.0, 3.0, 4.0, 6.0, 6.0, 8.0, 8.0, 12.0, 12.0, 12.0, 12.0, 16.0, 16.0, 16.0, 16.0,
    24.0, 24.0, 24.0, 24.0, 24.0, 24.0, 24.0, 24.0, 32.0
  ]))
  assert rung(0) == 0 and rung(-3) == -3
  assert rung(1000) == 1024 and rung(1025) == 1536 and rung(1537) == 2048
}

// A state of the stage that doubles every second step. Each epoch shows each row once, in an order of its own.

state visits = zeros_int(20)

stage doubles = train b in table.shuffle().batch(size: n) for 3 epochs {
  state n = 2
  set visits[b.row] = visits[b.row] + 1
  log size = len(b.x), asked = n, right = all(int(b.x) == b.row), first = b.row[0], total = sum(visits)
  set n = if mod(step, 2) == 1 { min(2 * n, 16) } else { n }
  every 1 epoch { log times = visits, after = step }
  every 15 rows { log rows_after = step }
}

test "sizes double, and each epoch shows each row once" {
  assert all(doubles.log.asked == int([2.0, 2.0, 4.0, 4.0, 8.0, 8.0, 16.0, 16.0, 16.0]))
  assert all(doubles.log.size == int([2.0, 2.0, 4.0, 4.0, 8.0, 8.0, 12.0, 16.0, 4.0]))
  assert all(doubles.log.total == cumsum(doubles.log.size))
  assert all(doubles.log.right)
  assert all(for t in doubles.log.times { all(t == t[0]) }) and all(doubles.log.times[.., 0] == int([1.0, 2.0, 3.0]))
  assert all(doubles.log.after == int([5.0, 7.0, 9.0]))
  // 2, 4, 8, 12, 20, 28, 40, 56, 60 rows.
  assert all(doubles.log.rows_after == int([5.0, 7.0, 8.0, 9.0]))
  assert doubles.n == 16
}

// The order of an epoch goes on where it was, whatever the sizes are.

stage grows = train b in table.batch(size: n) for 1 epochs {
  state n = 1
  state shown = zeros_int(20)
  state at = 0
  set shown[for i in 0..len(b.row) { at + i }] = b.row
  set at = at + len(b.row)
  set n = n + 1
}

test "rows come in order" {
  assert all(grows.shown == iota(20))
  assert grows.at == 20
}

// What is left of an epoch is left out: after 1 + 2 + 4 + 8 rows, 5 are less than 16. A block that sets the size may end an epoch.

state size = 1

stage drops = train b in table.shuffle().batch(size: size, last: drop) for 3 epochs {
  log rows = len(b.x)
  set size = min(2 * size, 16)
  every 1 epoch { log epoch_step = step }
}

stage jumps = train b in table.batch(size: n, last: drop) for 2 epochs {
  state n = 4
  log rows = len(b.x), first = b.row[0]
  every 3 steps { set n = 10 }
  every 1 epoch { log epoch_step = step }
}

test "a part of a batch is left out" {
  assert all(drops.log.rows == int([1.0, 2.0, 4.0, 8.0, 16.0, 16.0]))
  assert all(drops.log.epoch_step == int([4.0, 5.0, 6.0]))
  assert all(jumps.log.rows == int([4.0, 4.0, 4.0, 10.0, 10.0]))
  assert all(jumps.log.first == int([0.0, 4.0, 8.0, 0.0, 10.0]))
  assert all(jumps.log.epoch_step == int([3.0, 5.0]))
}

// A stage starts from the size that the one in its `after` left; sizes may be any expression.

stage on = train b in table.shuffle().batch(size: rung(size - 3)) for 40 rows after drops {
  log rows = len(b.x)
}

stage by_step = train b in table.batch(size: 2 + step) for 4 steps { log rows = len(b.x) }

let batches = table.shuffle().batch(size: size)

stage named = train b in batches for 2 steps {
  log rows = len(b.x)
  set size = size + 4
}

test "sizes are expressions" {
  assert all(on .log.rows == int([16.0, 4.0, 16.0, 4.0]))
  assert all(by_step.log.rows == int([2.0, 3.0, 4.0, 5.0]))
  assert all(named.log.rows == int([1.0, 5.0]))
}

// Optimizers and the best snapshot go on through the sizes. The mean of a batch in order, by gradient descent.

param mean_of = 0.0

stage fit = train b in table.batch(size: n) for 30 epochs {
  state n = 5
  minimize mean(for x in b.x { square(x - mean_of) }) over mean_of using sgd(lr: 0.05)
  log n = n
  set n = min(n + 1, 20)
  every 1 epoch { log loss = mean(for x in table.x { square(x - mean_of) }) }
  keep lowest loss
}

test "training goes on" {
  assert fit.n == 20
  assert close(fit.mean_of, 9.5, 0.2)
  assert fit.log.loss[-1] < 33.4
}

// Rows are counted where the size stays, too: 8 + 8 + 4 in an epoch.

stage counted = train b in table.batch(8) for 40 rows {
  log rows = len(b.x)
  every 10 rows { log after = step }
}

test "rows are counted" {
  assert all(counted.log.rows == int([8.0, 8.0, 4.0, 8.0, 8.0, 4.0]))
  assert all(counted.log.after == int([2.0, 3.0, 5.0, 6.0]))
}
