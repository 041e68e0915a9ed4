// Regression on a table, from a CSV file to a report: the progression of diabetes within a year from ten measurements of
// 442 patients (Efron et al. 2004). The penalty and the learning rate are chosen by five folds of the rows to train on,
// and judged on rows that nothing has seen. Runs in some seconds.

use std.data.{folds, held_out, mixed_rows, scale_of, standardised}
use std.metrics
use std.nn.mlp
use std.optim.{adam, weight_decay}

let small = false

data patients = csv("../data/diabetes.csv")
let table = {x: stack(patients.except{progression}), y: patients.progression}
// One order whatever the seed of the run, so that the rows judged by stay the same.
let (known_rows, unseen) = held_out(mixed_rows(table), 0.1855)

// All that is learned of columns is learned from the rows to train on.
let scale = scale_of(known_rows)
let train_set = standardised(known_rows, scale)
let test_set = standardised(unseen, scale)
let parts = folds(train_set, 5)

let rates = if small { [1e-3, 1e-1] } else { [1e-3, 1e-2, 1e-1, 3e-1] }
let learning = if small { [3e-2] } else { [3e-3, 3e-2] }
let epochs = if small { 5 } else { 40 }

net predict = mlp([10, 16, 1], act: tanh)

fn loss(b) = mean(for (x, y) in (b.x, b.y) { (predict(x)[0] - y)^2 })

stage fit(k, rate, lr) = train b in parts[k].train.shuffle().batch(32, last: drop) for epochs epochs {
  minimize loss(b) over predict using weight_decay(rate) |> adam(lr: lr)
  every 1 epoch { log left_out = loss(parts[k].test) }
}

/// The mean over folds of the error on the fold left out, at the end: so `final` is trained as these are.
fn by_folds(rate, lr) = mean(for k in list(0..5) { fit(k, rate, lr).log.left_out[-1] })

let errors = for lr in learning { for rate in rates { by_folds(rate, lr) } }
let best = argmin(flatten(errors))

// The values that did best, on all rows to train on.
stage final = train b in train_set.shuffle().batch(32) for epochs epochs {
  let rate = stack(rates)[mod(best, len(rates))]
  let lr = stack(learning)[div(best, len(rates))]
  minimize loss(b) over predict using weight_decay(rate) |> adam(lr: |t| lr)
}

stage judged = compute after final {
  // Of the progression's variance, the share explained.
  log r2 = metrics.r2(for x in test_set.x { predict(x)[0] }, test_set.y)
  log error = scale.sd.y * sqrt(loss(test_set))
  log error_of_mean = scale.sd.y * sqrt(mean(test_set.y^2))
}

stage look = report after final {
  text "The lowest error on the folds left out, in units of the variance of what is predicted:"
  table {error: flatten(errors)}, title: "errors by folds"
  table {
    predicted: for x in test_set.x { scale.mean.y + scale.sd.y * predict(x)[0] },
    seen: unseen.y,
  }, title: "patients not seen"
}

test "the rows are parted, and scaled by those to train on" {
  assert len(train_set) == 360 and len(test_set) == 82
  assert close(mean(train_set.x, axis: 0), zeros(10), 1e-5)
  assert not close(mean(test_set.x, axis: 0), zeros(10), 1e-3)
  assert sum(known_rows.y) + sum(unseen.y) == sum(patients.progression)
}

test "unseen patients are predicted better than by the mean" {
  assert judged.log.error[0] < 0.9 * judged.log.error_of_mean[0]
  assert judged.log.r2[0] > if small { 0.2 } else { 0.25 }
}

test "kept values" {
  snapshot judged.log.error_of_mean[0]
}
