// In 32 bits, and trained: what a loss makes smaller gets better by a metric.
// slow by the interpreter

use std.losses.{binary_cross_entropy, cosine_similarity, cross_entropy, dice, focal, info_nce}
use std.metrics.{accuracy, auc, average_precision, calibration_error, matthews, mean_iou, r2, spearman}
use std.nn.{dense, gru, u_net}
use std.optim.adam

test "metrics" {
  assert close(auc([0.1, 0.2, 0.2], [0, 0, 1]), 0.75, 1e-6)
  assert close(r2([0.1, 0.2, 0.2], [0.1, 0.2, 0.3]), 0.5, 1e-5)
  assert close(spearman([0.1, 0.2, 0.2], [0.1, 0.2, 0.3]), 0.8660254, 1e-6)
  assert close(average_precision([0.1, 0.2, 0.2], [0, 0, 1]), 0.5, 1e-6)
  assert close(calibration_error([0.1, 0.2, 0.2], [0, 0, 1]), (0.1 + 0.6) / 3.0, 1e-6)
  // Products of counts of a hundred thousand labels do not fit into 32 bits. Half of class 1 is found.
  let label = for i in 0..100000 { mod(i, 2) }
  let predicted = for i in 0..100000 { int(mod(i, 4) == 1) }
  assert close(matthews(predicted, label), 0.125 / sqrt(0.25 * 0.5 * 0.5 * 0.75), 1e-6)
  assert close(auc(real(predicted), label), 0.75, 1e-6)
}

test "extremes" {
  let u = 1e20 * [1.0, 1.0]
  assert close(cosine_similarity(u, [1.0, 0.0]), sqrt(0.5), 1e-6)
  assert all(is_finite(grad(cosine_similarity(u, [1.0, 0.0]), wrt: u)))
  let x = [1e4, -1e4]
  assert all(is_finite(grad(focal(x, 1), wrt: x))) and all(is_finite(grad(focal(x, 0), wrt: x)))
  assert is_finite(info_nce([x, x], [x, x]))
}

// Squares in noise: which pixels are theirs?

let corners = with_key(1) randint(0, 5, 40, 2)
let masks = for c in corners {
  let (down, across) = (iota(8, 8, axis: 0) - c[0], iota(8, 8, axis: 1) - c[1])
  real(down >= 0 and down < 3 and across >= 0 and across < 3)
}
let pictures = {x: masks + 0.3 * with_key(2) randn([40, 8, 8]), mask: masks}

net segment = u_net(1, 1, [4, 8])

fn logits(x) = segment(insert_axis(x, 0))[0]

stage cut = train b in pictures.shuffle().batch(10) for 15 epochs {
  minimize mean(for (x, m) in (b.x, b.mask) { dice(logits(x), m) + binary_cross_entropy(logits(x), m) })
    over segment
    using adam(lr: 0.01)
  every 5 epochs {
    let p = for x in pictures.x { int(logits(x) > 0.0) }
    log iou = mean_iou(flatten(p), int(flatten(pictures.mask)), 2)
  }
}

test "a u-net cuts squares out" { assert cut.log.iou[-1] > 0.85 }

// Which came first, up or down?

let ups = with_key(3) randint(0, 2, 60)
let series = {
  x: for u in ups { for t in 0..6 { [if t == 0 { 2.0 * real(u) - 1.0 } else { 0.0 }, sin(real(t))] } },
  label: ups,
}

net remember = gru(2, 4)
net answer = dense(4, 2)

fn scores(x) = answer(remember(x)[-1])

stage recall_first = train b in series.shuffle().batch(20) for 40 epochs {
  minimize mean(for (x, l) in (b.x, b.label) { cross_entropy(scores(x), l) })
    over remember, answer
    using adam(lr: 0.05)
  every 20 epochs { log accuracy = accuracy(for x in series.x { argmax(scores(x)) }, series.label) }
}

test "a recurrent net remembers" { assert recall_first.log.accuracy[-1] == 1.0 }
