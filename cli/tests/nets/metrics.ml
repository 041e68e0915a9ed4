// Each metric against numbers that were counted by hand: ties, classes that do not occur, targets that do not vary.

precision f64

use std.metrics.{accuracy, top_k_accuracy, confusion_matrix, precision_score, recall, f_beta, f1, macro_f1}
use std.metrics.{balanced_accuracy, mean_iou, matthews, cohen_kappa, midranks, auc, average_precision, brier}
use std.metrics.{reliability, calibration_error, worst_calibration_error, mean_squared_error, root_mean_squared_error}
use std.metrics.{mean_absolute_error, r2, explained_variance, pearson, spearman, kernel_discrepancy}

// Seven predictions of four classes, the last of which neither occurs nor is predicted.
let p = [0, 1, 2, 2, 1, 0, 2]
let t = [0, 1, 1, 2, 1, 2, 2]

test "several classes" {
  let m = confusion_matrix(p, t, 4)
  assert all(m == [[1, 0, 0, 0], [0, 2, 1, 0], [1, 0, 2, 0], [0, 0, 0, 0]])
  assert close(accuracy(p, t), 5.0 / 7.0, 1e-15)
  assert close(precision_score(p, t, class: 0), 0.5, 0.0) and close(recall(p, t, class: 0), 1.0, 0.0)
  assert close(precision_score(p, t), 1.0, 0.0) and close(recall(p, t), 2.0 / 3.0, 1e-15)
  assert close(for c in list(0..3) { f1(p, t, class: c) }, [2.0 / 3.0, 0.8, 2.0 / 3.0], 1e-15)
  // Five times two of two by five times two and four times the missing one.
  assert close(f_beta(p, t, 2.0), 10.0 / 14.0, 1e-15)
  assert close(macro_f1(p, t, 4), (2.0 / 3.0 + 0.8 + 2.0 / 3.0) / 3.0, 1e-15)
  assert close(balanced_accuracy(p, t, 4), (1.0 + 2.0 / 3.0 + 2.0 / 3.0) / 3.0, 1e-15)
  assert close(mean_iou(p, t, 4), (0.5 + 2.0 / 3.0 + 0.5) / 3.0, 1e-15)
  assert close(matthews(p, t, k: 4), 0.5809475019311126, 1e-14)
  assert close(cohen_kappa(p, t, 4), 0.5625, 1e-15)
}

test "two classes" {
  let (p, t) = ([1, 1, 0, 0, 1], [1, 0, 0, 1, 1])
  // TP 2, FP 1, FN 1, TN 1.
  assert close(matthews(p, t), (2.0 * 1.0 - 1.0 * 1.0) / sqrt(3.0 * 3.0 * 2.0 * 2.0), 1e-15)
  assert close(f1(p, t), 4.0 / 6.0, 1e-15)
  assert close(f1(p == 1, t == 1), 4.0 / 6.0, 1e-15)
  assert close(accuracy(p == 1, t == 1), 0.6, 1e-15)
}

test "classes that do not occur" {
  assert f1(p, t, class: 3) == 0.0 and f1(p, t, class: 3, empty: 1.0) == 1.0
  assert precision_score(p, t, class: 3) == 0.0 and recall(p, t, class: 3, empty: 0.5) == 0.5
  // Predicted, but not there.
  assert precision_score([3, 0], [0, 0], class: 3) == 0.0 and f1([3, 0], [0, 0], class: 3, empty: 1.0) == 0.0
  assert matthews([1, 1], [0, 1]) == 0.0 and matthews([1, 1], [1, 1], empty: 1.0) == 1.0
  assert cohen_kappa([1, 1], [1, 1], 2, empty: 1.0) == 1.0
  assert macro_f1([0], [7], 2, empty: 0.25) == 0.25 and balanced_accuracy([0], [7], 2) == 0.0
  assert mean_iou([0], [7], 2) == 0.0
  assert sum(confusion_matrix([0, 5, -1], [7, 0, 1], 2)) == 0
  assert sum(confusion_matrix([2, 0], [0, 2], 2)) == 0
}

test "the largest scores" {
  let s = [[0.1, 0.7, 0.2], [0.5, 0.5, 0.0], [0.3, 0.3, 0.4]]
  assert close(top_k_accuracy(s, [1, 0, 0], 1), 1.0 / 3.0, 1e-15)
  assert close(top_k_accuracy(s, [2, 0, 0], 2), 2.0 / 3.0, 1e-15)
  assert close(top_k_accuracy(s, [2, 0, 0], 3), 1.0, 0.0)
}

test "scores of two classes, with ties" {
  let s = [0.9, 0.8, 0.8, 0.7, 0.7, 0.7, 0.2, 0.1]
  let y = [1, 1, 0, 0, 1, 1, 0, 1]
  assert close(midranks(s), [8.0, 6.5, 6.5, 4.0, 4.0, 4.0, 2.0, 1.0], 0.0)
  // Of 15 pairs 7 in order and 3 equal.
  assert close(auc(s, y), 8.5 / 15.0, 1e-15)
  assert close(auc(s, y == 1), 8.5 / 15.0, 1e-15)
  assert close(auc(-s, y), 6.5 / 15.0, 1e-15)
  assert auc([1.0, 2.0, 3.0], [0, 0, 1]) == 1.0 and auc([1.0, 2.0, 3.0], [1, 0, 0]) == 0.0
  assert auc([0.0, 0.0, 0.0], [1, 0, 0]) == 0.5
  // Thresholds 0.9: 1 of 1, 0.8: 2 of 3, 0.7: 4 of 6, 0.1: 5 of 8.
  assert close(average_precision(s, y), (1.0 + 2.0 / 3.0 + 2.0 * 2.0 / 3.0 + 5.0 / 8.0) / 5.0, 1e-15)
  assert average_precision([3.0, 2.0, 1.0], [1, 1, 0]) == 1.0
}

test "scores of one class" {
  assert not is_finite(auc([1.0, 2.0], [1, 1])) and not is_finite(auc([1.0, 2.0], [0, 0]))
  assert auc([1.0, 2.0], [0, 0], empty: 0.5) == 0.5 and auc([1.0], [1], empty: 0.5) == 0.5
  assert not is_finite(average_precision([1.0, 2.0], [0, 0]))
  assert average_precision([1.0, 2.0], [0, 0], empty: 0.0) == 0.0
}

test "the area of many scores" {
  // As a loop over all pairs: 100 scores of 20 values.
  let s = for i in 0..100 { real(mod(i * 37, 20)) }
  let y = for i in 0..100 { int(mod(i * i, 7) < 3) }
  let pairs = for (a, u) in (s, y), (b, v) in (s, y) {
    let counts = real(u == 1 and v == 0)
    (counts, counts * (real(a > b) + 0.5 * real(a == b)))
  }
  assert close(auc(s, y), sum(pairs[1]) / sum(pairs[0]), 1e-13)
}

test "calibration" {
  // Of four bins of width 1/4: (0, 1/4] holds 0.25 and 0, (1/4, 1/2] nothing, (1/2, 3/4] 0.6, the last 0.9 twice.
  let c = [0.25, 0.0, 0.6, 0.9, 0.9]
  let right = [1, 0, 0, 1, 1]
  let r = reliability(c, right, bins: 4)
  assert all(r.count == [2, 0, 1, 2])
  assert close(r.confidence, [0.25, 0.0, 0.6, 1.8], 1e-15) and close(r.correct, [1.0, 0.0, 0.0, 2.0], 0.0)
  assert close(calibration_error(c, right, bins: 4), (0.75 + 0.6 + 0.2) / 5.0, 1e-15)
  assert close(worst_calibration_error(c, right, bins: 4), 0.6, 1e-15)
  assert close(calibration_error(c, right == 1, bins: 4), (0.75 + 0.6 + 0.2) / 5.0, 1e-15)
  assert close(calibration_error([1.0, 1.0], [true, true]), 0.0, 0.0)
  // What rounding takes beyond one is in the last bin.
  assert all(reliability([1.0 + 1e-9, 1.0], [1, 1], bins: 2).count == [0, 2])
  assert close(brier([0.25, 1.0], [1, 1]), 0.28125, 1e-15)
}

test "regressions" {
  let (x, y) = ([1.0, 2.0, 2.0, 5.0], [2.0, 1.0, 4.0, 6.0])
  assert close(mean_squared_error(x, y), 7.0 / 4.0, 1e-15)
  assert close(root_mean_squared_error(x, y), sqrt(7.0) / 2.0, 1e-15)
  assert close(mean_absolute_error(x, y), 5.0 / 4.0, 1e-15)
  assert close(r2(x, y), 0.5254237288135593, 1e-14)
  assert close(explained_variance(x, y), 0.6779661016949152, 1e-14)
  assert close(explained_variance(y + 3.0, y), 1.0, 1e-14) and close(r2(y, y), 1.0, 0.0)
  assert close(pearson(x, y), 0.8245297695452177, 1e-14)
  // Ranks 1, 2.5, 2.5, 4 and 2, 1, 3, 4.
  assert close(spearman(x, y), 0.6324555320336759, 1e-14)
  assert close(spearman(exp(x), y), spearman(x, y), 1e-14)
}

test "targets that do not vary" {
  let (x, y) = ([1.0, 2.0], [3.0, 3.0])
  assert not is_finite(r2(x, y)) and not is_finite(pearson(x, y)) and not is_finite(explained_variance(x, y))
  assert r2(x, y, empty: 0.25) == 0.25 and spearman(x, y, empty: 0.0) == 0.0
  assert explained_variance(x, y, empty: -1.0) == -1.0
}

test "two samples by a kernel" {
  // By k(p, q) = p q: (16 - 10) / 2 and (49 - 29) / 2 within, 28 / 4 across.
  assert close(kernel_discrepancy([[1.0], [3.0]], [[2.0], [5.0]], |p, q| dot(p, q)), 3.0 + 10.0 - 14.0, 1e-14)
  let apart = kernel_discrepancy(randn([200, 2]), 1.0 + randn([200, 2]), |p, q| exp(-0.5 * sqnorm(p - q)))
  let same = kernel_discrepancy(randn([200, 2]), randn([200, 2]), |p, q| exp(-0.5 * sqnorm(p - q)))
  assert apart > 0.1 and abs(same) < 0.03
}
