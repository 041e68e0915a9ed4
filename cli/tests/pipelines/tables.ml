// Tables made ready for training, and what training loops share.

use std.data.{
  class_weights, filled, folds, hash, held_out, lags, middle_of, mixed_order, mixed_rows, range_of, ranged, resampled, scale_of,
  shuffled_rows, sliding, standardised, three_parts, unstandardised,
}
use std.optim.{adam, clip_norm, sgd}
use std.training.{accumulate, ema, ema_decay, exhausted, patience, watched}

let table = {x: for i in 0..20 { real(i) }, y: iota(20)}
let mixed = shuffled_rows(table)
let (some, rest) = held_out(mixed, 0.25)
let (a, b, c) = three_parts(table, valid: 0.2, test: 0.1)
let parts = folds(table, 3)
let drawn = resampled(table)
let both = {x: table.x, z: for i in 0..20 { [1.0, real(i * i)] }}
let scale = scale_of(both)
let z = standardised(both, scale)

test "parts" {
  assert sum(mixed.y) == 190 and any(mixed.y != iota(20))
  assert close(mixed.x, real(mixed.y), 0.0)
  let fixed = mixed_rows(table)
  assert sum(fixed.y) == 190 and close(fixed.x, real(fixed.y), 0.0)
  // The published value at 1: 0x514e28b7.
  assert all(hash([0, 1]) == [0, 1364076727])
  assert any(mixed_order(20) != mixed_order(20, key: 1))
  // Of a uniform order of 3000 rows the mean of the first 1000 is 1499.5 with a standard deviation of 22.4; the order is
  // one and the same, so this cannot fail by chance.
  assert abs(mean(real(mixed_order(3000)[0..1000])) - 1499.5) < 100.0
  assert all(sort(mixed_order(3000)) == iota(3000))
  assert len(some) == 15 and len(rest.x) == 5
  assert len(a) == 14 and all(b.y == [14, 15, 16, 17]) and all(c.y == [18, 19])
  assert len(parts) == 3
  assert all(parts[1].test.y == 6 + iota(7)) and len(parts[1].train) == 13
  assert parts[1].train.y[6] == 13
  assert close(drawn.x, real(drawn.y), 0.0) and any(drawn.y != iota(20))
}

test "columns" {
  assert close(mean(z.z, axis: 0), [0.0, 0.0], 1e-5) and close(std(z.z[.., 1]), 1.0, 1e-5)
  assert close(z.z[.., 0], zeros(20), 0.0)
  assert close(unstandardised(z, scale).z, both.z, 1e-3)
  assert close(ranged(table.x, range_of(table.x))[19], 1.0, 0.0)
  let gaps = [[1.0, nan], [3.0, 5.0], [nan, 7.0]]
  assert close(middle_of(gaps), [2.0, 6.0], 0.0)
  assert close(filled(gaps, middle_of(gaps)), [[1.0, 6.0], [3.0, 5.0], [2.0, 7.0]], 0.0)
  assert close(class_weights([0, 0, 0, 1], 2), [2.0 / 3.0, 2.0], 1e-6)
}

test "series" {
  assert close(sliding(table.x, 3, stride: 8), [[0.0, 1.0, 2.0], [8.0, 9.0, 10.0], [16.0, 17.0, 18.0]], 0.0)
  let l = lags(table.x, 4, ahead: 2)
  assert shape(l.past)[0] == 15 and close(l.past[0], [0.0, 1.0, 2.0, 3.0], 0.0)
  assert close(l.target[0], 5.0, 0.0) and close(l.target[14], 19.0, 0.0) and close(l.past[14, 3], 17.0, 0.0)
}

param w = 4.0
param v = [1.0, 2.0]

fn bowl(w, v) = w * w + sum(v^4)

stage often = train for 8 steps { minimize bowl(w, v) over w, v using accumulate(clip_norm(1.0) |> adam(lr: 0.1)) }

stage seldom = train for 2 steps { minimize bowl(w, v) over w, v using clip_norm(1.0) |> adam(lr: 0.1) }

stage early = train for 1000 steps {
  state waiting = patience()
  state slow = w
  minimize w * w over w using sgd(lr: 0.1)
  set slow = ema(slow, w, decay: ema_decay(step))
  every 2 steps {
    log gap = abs(w - 1.0)
    set waiting = watched(waiting, abs(w - 1.0))
    keep lowest gap
    stop when exhausted(waiting, 3)
  }
}

stage fit(k) = train b in parts[k].train.shuffle().batch(4) for 30 epochs {
  minimize mean(for x in b.x { (x - w)^2 }) over w using sgd(lr: 0.05)
  every 1 epoch { log left_out = mean(for x in parts[k].test.x { (x - w)^2 }) }
}

let by_fold = for k in list(0..3) { fit(k).log.left_out[-1] }

test "gradients of several steps are one" {
  assert close(often.w, seldom.w, 1e-6) and close(often.v, seldom.v, 1e-6)
}

test "stopping early leaves the best" {
  // w falls by a fifth at each step: 4 * 0.8^6 is nearest to 1 where it is looked at.
  assert len(early.log.gap) == 6 and close(early.w, 4.0 * 0.8^6, 1e-5)
  assert early.slow > early.w
}

test "folds in one stage" { assert by_fold[1] < by_fold[0] and by_fold[1] < by_fold[2] }
