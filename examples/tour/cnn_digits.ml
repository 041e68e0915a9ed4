// A convolutional network with two layers on 1,797 handwritten digits of 8x8 pixels: 1,500 to learn from, 297 to judge
// by. Runs in some seconds.

use std.conv.max_pool
use std.losses.cross_entropy
use std.metrics.accuracy
use std.nn.{conv2d, dense}
use std.optim.adam

let small = false

data digits = csv("../data/digits.csv.gz")
// The file goes by who wrote; the order is made random, so that all writers are in both parts.
let order = with_key(1) argsort(rand(1797))
let pixels = take(stack(digits.except{label}), order) / 16.0
let table = {image: for r in pixels { reshape(r, 1, 8, 8) }, label: take(digits.label, order)}
let (train_set, test_set) = split(table, at: 1500)

/// Ten logits of a picture.
net cnn(a, b)(x: real[1, 8, 8]) {
  net first = conv2d(1, a, 3, padding: 1)
  net second = conv2d(a, b, 3, padding: 1)
  net head = dense(4 * b, 10)
  let h = max_pool(relu(first(x)), 2)
  head(flatten(max_pool(relu(second(h)), 2)))
}

net classify = cnn(8, 16)

fn loss(x, label) = cross_entropy(classify(x), label)

fn held_out(t) = accuracy(for x in t.image { argmax(classify(x)) }, t.label)

stage fit = train b in train_set.shuffle().batch(50) for if small { 2 } else { 15 } epochs {
  minimize mean(for (x, l) in (b.image, b.label) { loss(x, l) }) over classify using adam(lr: 3e-3)
  every 1 epoch { log held_out_accuracy = held_out(test_set) }
}

test "the derivative by the offsets of the logits is softmax less one-hot" {
  let (x, label) = (test_set.image[0], test_set.label[0])
  let g = grad(loss(x, label), wrt: classify)
  assert close(g.head.b, softmax(classify(x)) - one_hot(label, 10), 1e-6)
}

test "digits that were not seen are told apart" {
  assert fit.log.held_out_accuracy[-1] >= if small { 0.6 } else { 0.95 }
}
