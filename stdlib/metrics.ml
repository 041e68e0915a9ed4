// How good predictions are. Of labels: integers from 0; a label that is one of two may be a truth value, or 0 and 1. Sums that
// cancel are taken in f64. What is not defined, because a class does not occur or targets do not vary, is worth `empty`.

/// The share of predicted labels that are right.
fn accuracy(predicted, label) = mean(real(predicted == label))

/// The share of labels whose score is among the `k` largest. Scores that equal the label's count as larger.
fn top_k_accuracy(scores: real[n, c], label, k) =
  mean(for (s, l) in (scores, label) { real(count(s >= s[l]) <= k) })

/// How often each label (a row) was predicted as each (a column), of `k` labels. What lies outside is not counted.
fn confusion_matrix(predicted, label, k) {
  let known = predicted >= 0 and predicted < k and label >= 0 and label < k
  reshape(bincount(select(known, label * k + predicted, k * k), k * k), k, k)
}

/// a / b, and `empty` where b is zero.
fn _share(a, b, empty) = select(b == 0.0, empty, a / select(b == 0.0, 1.0, b))

/// How often the class was predicted and right, predicted, and right.
fn _counts(predicted, label, class) {
  let (p, t) = (int(predicted) == class, int(label) == class)
  (real(count(p and t)), real(count(p)), real(count(t)))
}

/// Of what was predicted as `class`, the share that is: TP / (TP + FP).
fn precision_score(predicted, label, class = 1, empty = 0.0) {
  let (both, p, _) = _counts(predicted, label, class)
  _share(both, p, empty)
}

/// Of what is `class`, the share that was predicted as such: TP / (TP + FN).
fn recall(predicted, label, class = 1, empty = 0.0) {
  let (both, _, t) = _counts(predicted, label, class)
  _share(both, t, empty)
}

/// The weighted harmonic mean of precision and recall, (1 + beta^2) TP / (predicted + beta^2 right) (van Rijsbergen 1979). Of a
/// class that neither occurs nor was predicted `empty`.
fn f_beta(predicted, label, beta, class = 1, empty = 0.0) {
  let (both, p, t) = _counts(predicted, label, class)
  _share((1.0 + beta^2) * both, p + beta^2 * t, empty)
}

/// The harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN).
fn f1(predicted, label, class = 1, empty = 0.0) = f_beta(predicted, label, 1.0, class: class, empty: empty)

/// The mean of `x` where `c` holds; `empty` if it holds nowhere.
fn _mean_where(x, c, empty) = real(_share(sum(select(c, x, 0.0)), f64(count(c)), empty))

/// For each of `k` classes: how often it was predicted and right, predicted, and right.
fn _margins(predicted, label, k) {
  let m = f64(confusion_matrix(predicted, label, k))
  (for i in 0..k { m[i, i] }, sum(m, axis: 0), sum(m, axis: 1))
}

/// The mean of `f1` over the classes that occur or were predicted.
fn macro_f1(predicted, label, k, empty = 0.0) {
  let (both, p, t) = _margins(predicted, label, k)
  _mean_where(_share(2.0 * both, p + t, 0.0), p + t > 0.0, empty)
}

/// The mean of `recall` over the classes that occur.
fn balanced_accuracy(predicted, label, k, empty = 0.0) {
  let (both, _, t) = _margins(predicted, label, k)
  _mean_where(_share(both, t, 0.0), t > 0.0, empty)
}

/// The mean over the classes that occur or were predicted of TP / (TP + FP + FN), the overlap of predicted and true (Jaccard 1912).
fn mean_iou(predicted, label, k, empty = 0.0) {
  let (both, p, t) = _margins(predicted, label, k)
  _mean_where(_share(both, p + t - both, 0.0), p + t > 0.0, empty)
}

/// The correlation of predicted and true classes: for two, (TP TN - FP FN) / sqrt(..) (Matthews 1975; of k classes Gorodkin 2004). Where all is of one class, or all predicted as one, `empty`.
fn matthews(predicted, label, k = 2, empty = 0.0) {
  let (both, p, t) = _margins(int(predicted), int(label), k)
  let n = sum(t)
  let variances = (n * n - dot(p, p)) * (n * n - dot(t, t))
  real(_share(n * sum(both) - dot(p, t), sqrt(variances), empty))
}

/// Agreement beyond chance: (share right - share by chance) / (1 - share by chance) (Cohen 1960).
fn cohen_kappa(predicted, label, k, empty = 0.0) {
  let (both, p, t) = _margins(predicted, label, k)
  let n = sum(t)
  real(_share(n * sum(both) - dot(p, t), n * n - dot(p, t), empty))
}

/// The first and the last place of the elements equal to each, of an ascending vector.
fn _stretches(s: real[n]) {
  let change = s[1..] != s[..n - 1]
  let first = cummax(select(concat(trues(1), change), iota(n), 0))
  let last = flip(cummin(flip(select(concat(change, trues(1)), iota(n), n))))
  (first, last)
}

/// The place of each element in the ascending order, from 1; of equal ones the mean of their places.
fn midranks(x: real[n]) {
  let order = argsort(x)
  let (first, last) = _stretches(take(x, order))
  let middle = 0.5 * real(first + last) + 1.0
  scatter_add(zeros(n), at: order, values: middle)
}

/// The probability that one of class 1 has a higher score than one of class 0, where equal scores count half: the area under the
/// curve of true over false positive rates (Hanley and McNeil 1982). Where one of the classes does not occur, `empty`.
fn auc(score: real[n], label, empty = nan) {
  let t = f64(real(label))
  let (one, zero) = (sum(t), n - sum(t))
  let above = dot(t, f64(midranks(score))) - 0.5 * one * (one + 1.0)
  real(_share(above, one * zero, empty))
}

/// The sum over thresholds of precision times the step in recall; equal scores are one threshold. Where class 1 does not occur, `empty`.
fn average_precision(score: real[n], label, empty = nan) {
  let order = argsort(score, descending: true)
  let t = f64(real(take(label, order)))
  let (_, last) = _stretches(-take(score, order))
  let precision_at = take(cumsum(t), last) / (1.0 + f64(real(last)))
  real(_share(dot(t, precision_at), sum(t), empty))
}

/// The mean of (p - y)^2 for probabilities p of y, 0 or 1 (Brier 1950).
fn brier(probability, label) = mean(square(probability - real(label)))

/// For each of `bins` bins of equal width, (0, 1/bins] and so on: how many confidences lie in it, their sum, and how many of these
/// predictions were right.
fn reliability(confidence: real[n], correct, bins = 15) {
  let bin = clip(int(ceil(confidence * real(bins))) - 1, 0, bins - 1)
  let empty = zeros(bins)
  {
    count: bincount(bin, bins),
    confidence: scatter_add(empty, at: bin, values: confidence),
    correct: scatter_add(empty, at: bin, values: real(correct)),
  }
}

/// How far confidence is from accuracy, as a mean over bins by how much is in them (Guo et al. 2017, equation 3).
fn calibration_error(confidence: real[n], correct, bins = 15) {
  let r = reliability(confidence, correct, bins: bins)
  sum(abs(r.correct - r.confidence)) / real(n)
}

/// The largest distance of confidence and accuracy in any bin (Guo et al. 2017).
fn worst_calibration_error(confidence: real[n], correct, bins = 15) {
  let r = reliability(confidence, correct, bins: bins)
  max(_share(abs(r.correct - r.confidence), real(r.count), 0.0))
}

/// The mean of (x - y)^2.
fn mean_squared_error(predicted, target) = mean(square(predicted - target))

/// The square root of the mean of (x - y)^2.
fn root_mean_squared_error(predicted, target) = sqrt(mean_squared_error(predicted, target))

/// The mean of |x - y|.
fn mean_absolute_error(predicted, target) = mean(abs(predicted - target))

/// 1 - sum (x - y)^2 / sum (y - mean y)^2, the share of the targets' variance that the predictions explain; `empty` where targets are all
/// equal.
fn r2(predicted, target, empty = nan) {
  let (x, y) = (f64(predicted), f64(target))
  1.0 - real(_share(sum(square(x - y)), sum(square(y - mean(y))), 1.0 - empty))
}

/// `r2` without a constant error: 1 - var(y - x) / var(y).
fn explained_variance(predicted, target, empty = nan) {
  let (x, y) = (f64(predicted), f64(target))
  1.0 - real(_share(var(y - x), var(y), 1.0 - empty))
}

/// The correlation of two vectors (Pearson 1895); `empty` where one does not vary.
fn pearson(x: real[n], y: real[n], empty = nan) {
  let (a, b) = (f64(x) - mean(f64(x)), f64(y) - mean(f64(y)))
  real(_share(dot(a, b), sqrt(sqnorm(a) * sqnorm(b)), empty))
}

/// The correlation of the ranks, of equal values the mean of theirs (Spearman 1904).
fn spearman(x: real[n], y: real[n], empty = nan) = pearson(midranks(x), midranks(y), empty: empty)

/// The squared maximum mean discrepancy of two samples by a kernel k(p, q), without bias (Gretton et al. 2012, equation 3): near 0, of
/// either sign, where both are of one distribution.
fn kernel_discrepancy(x: real[n, d], y: real[m, d], kernel) {
  let within = |a| (sum(for p in a, q in a { kernel(p, q) }) - sum(for p in a { kernel(p, p) })) / (real(len(a)) * (real(len(a)) - 1.0))
  within(x) + within(y) - 2.0 * mean(for p in x, q in y { kernel(p, q) })
}
