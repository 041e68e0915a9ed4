// A convolutional network on 1,797 handwritten digits of 8x8 pixels: parts to train on, to stop by and to judge by, a
// running mean of the parameters, stopping early, and a report of what goes wrong. Runs in some seconds.

use std.conv.max_pool
use std.data.{mixed_rows, three_parts}
use std.losses.cross_entropy
use std.metrics.confusion_matrix
use std.nn.{conv2d, dense}
use std.optim.{adamw, clip_norm}
use std.schedules.{cosine, warmup}
use std.training.{ema, ema_decay, exhausted, patience, watched}

let small = false
let epochs = if small { 3 } else { 25 }

data digits = csv("../data/digits.csv.gz")
let table = {image: for r in stack(digits.except{label}) { reshape(r / 16.0, 1, 8, 8) }, label: digits.label}
// The file goes by who wrote: the order is made random, so that all writers are in all parts.
let (train_set, valid_set, test_set) = three_parts(mixed_rows(table), valid: 0.15, test: 0.15)

/// Ten logits of a picture, by two convolutions with `a` and `b` channels.
net cnn(a, b)(x: real[1, 8, 8]) {
  net first = conv2d(1, a, 3, padding: 1)
  net second = conv2d(a, b, 3, padding: 1)
  net head = dense(4 * b, 10)
  let h = max_pool(relu(first(x)), 2)
  head(flatten(max_pool(relu(second(h)), 2)))
}

net classify = cnn(8, 16)

fn guess(net, x) = argmax(net(x))

fn accuracy(net, t) = mean(for (x, l) in (t.image, t.label) { real(guess(net, x) == l) })

stage fit = train b in train_set.shuffle().batch(32) for epochs epochs {
  state average = classify
  state waiting = patience()
  minimize mean(for (x, l) in (b.image, b.label) { cross_entropy(classify(x), l, smoothing: 0.1) })
    over classify
    using clip_norm(1.0) |> adamw(lr: warmup(40, cosine(4e-3, 40 * epochs)), decay: 1e-2)
  set average = ema(average.params, classify.params, decay: ema_decay(step, decay: 0.98))
  every 1 epoch {
    log valid_accuracy = accuracy(average, valid_set)
    set waiting = watched(waiting, -accuracy(average, valid_set))
    keep highest valid_accuracy
    stop when exhausted(waiting, 8)
  }
}

/// How often a digit (row) was taken for another (column).
fn confusion(net, t) = confusion_matrix(for x in t.image { guess(net, x) }, t.label, 10)

stage judged = compute after fit {
  log test_accuracy = accuracy(fit.average, test_set), confusion = confusion(fit.average, test_set)
}

stage look = report after fit {
  image real(confusion(fit.average, test_set)) / 10.0, title: "digits (down) and what they were taken for (across)"
  image grid(for k in 0..40 { test_set.image[k, 0] }), title: "digits that were not seen"
}

test "the parts are all there is" {
  assert len(train_set) == 1257 and len(valid_set) == 270 and len(test_set) == 270
  assert all(bincount(concat(train_set.label, valid_set.label, test_set.label), 10) == bincount(digits.label, 10))
}

test "digits that were not seen are told apart" {
  assert judged.log.test_accuracy[0] >= if small { 0.7 } else { 0.93 }
  assert sum(judged.log.confusion[0]) == 270
}

test "kept values" {
  snapshot bincount(test_set.label, 10)
  snapshot mean(test_set.image)
}
