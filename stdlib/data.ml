// Tables made ready for training. A table is a record of columns, or one tensor, with a row for each example. Sizes are
// known when a stage starts, so all of this stands in top-level `let`s as well as in functions; what is learned from rows
// (`scale_of`, `range_of`, `middle_of`) is learned from those given, which are those to train on.

use std.random.permutation

/// The rows numbered `i`, in that order.
fn rows(t, i) = map(|c| take(c, i, axis: 0), t)

/// The rows in an order drawn once, another for each seed of the run.
fn shuffled_rows(t) = rows(t, permutation(len(t)))

/// The rows in an order that looks random and depends on their number and on `key` alone, so that what is left out stays
/// left out whatever the seed: `let (train, test) = held_out(mixed_rows(t), 0.2)`.
fn mixed_rows(t, key = 0) = rows(t, mixed_order(len(t), key: key))

/// The numbers 0, 1, .. n - 1 in the order of their hashes.
fn mixed_order(n, key = 0) = argsort(hash(iota(n) + hash(key + zeros_int(n))))

/// The finaliser of MurmurHash3 (Appleby 2011): a bijection of ints that spreads every bit.
fn hash(h) {
  let a = -2048144789 * bit_xor(h, _down(h, 16))
  let b = -1028477387 * bit_xor(a, _down(a, 13))
  bit_xor(b, _down(b, 16))
}

/// The bits `n` places down, zeros above them.
fn _down(h, n) = bit_and(shift_right(h, n), shift_left(1, 32 - n) - 1)

/// As many rows, drawn with replacement: a bootstrap sample (Efron 1979).
fn resampled(t) = rows(t, randint(0, len(t), len(t)))

/// The rows of two tables, one after the other.
fn joined(a, b) = map(|x, y| concat(x, y), a, b)

/// Two parts, the second with a `share` of the rows (rounded): `let (train, test) = held_out(mixed_rows(t), 0.2)`.
fn held_out(t, share) = split(t, at: len(t) - rounded(share * len(t)))

/// Three parts: to train on, to choose by, and to report.
fn three_parts(t, valid = 0.1, test = 0.1) {
  let n = len(t)
  let at = n - rounded(test * n)
  split(t, at: [at - rounded(valid * n), at])
}

/// The nearest int to a number of rows that is known.
fn rounded(x) = int(floor(x + 0.5))

/// The fold `k` of `of`: the rows that are left out, `test`, and the others, `train`. Folds are stretches of neighbours
/// whose sizes differ by one row at most, so rows that come sorted are to be shuffled before.
fn fold(t, k, of = 5) {
  let n = len(t)
  let (before, test, behind) = split(t, at: [div(k * n, of), div((k + 1) * n, of)])
  {train: joined(before, behind), test}
}

/// All folds, a list: `stage fit(k) = train b in parts[k].train.batch(32) for 10 epochs { .. }`.
fn folds(t, n = 5) = folds_before(t, n, n)

/// The first `k` folds of `n`.
fn folds_before(t, n, k) = if k == 0 { [] } else { append(folds_before(t, n, k - 1), fold(t, k - 1, of: n)) }

/// The mean and the standard deviation of each column (along the first axis); where all are equal it is 1.
fn scale_of(train) {
  let mean = mean(train, axis: 0)
  let sd = map(|c| std(c, axis: 0), train)
  {mean, sd: map(|s| select(s > 0.0, s, 1.0), sd)}
}

/// Columns less their mean, divided by their standard deviation: `standardised(test, scale_of(train))`.
fn standardised(t, scale) = map(|x, m, s| for r in x { (r - m) / s }, t, scale.mean, scale.sd)

/// What `standardised` undoes.
fn unstandardised(t, scale) = map(|x, m, s| for r in x { m + s * r }, t, scale.mean, scale.sd)

/// The least and the largest value of each column.
fn range_of(train) = {low: min(train, axis: 0), high: max(train, axis: 0)}

/// Columns moved to [0, 1], for the rows that `range` is of; one of equal values to 0.
fn ranged(t, range) =
  map(|x, low, high| for r in x { (r - low) / select(high > low, high - low, 1.0) }, t, range.low, range.high)

/// The mean of each column over the values that are numbers, which `missing: nan` leaves others than.
fn middle_of(train) =
  map(
    |c| sum(select(c == c, c, 0.0), axis: 0) / max(real(count(c == c, axis: 0)), 1.0),
    train,
  )

/// Values that are no numbers replaced by one for each column: `filled(test, middle_of(train))`.
fn filled(t, values) = map(|x, m| for r in x { select(r == r, r, m) }, t, values)

/// A weight for each of `n` classes, so that all weigh the same together; the mean weight of a row is 1.
fn class_weights(labels, n) {
  let counts = real(bincount(labels, n))
  real(size(labels)) / (real(n) * max(counts, 1.0))
}

/// All stretches of `size` neighbours of a series, each `stride` further: [windows, size, ..].
fn sliding(x, size, stride = 1) {
  let n = windows(len(x), size: size, stride: stride)
  for i in 0..n { take(x, i * stride + iota(size), axis: 0) }
}

/// A series to be predicted `ahead` steps from its last `n` values: `past`, the oldest first, and `target`.
fn lags(x, n, ahead = 1) {
  let rows = windows(len(x), size: n + ahead)
  {past: take(sliding(x, n), 0..rows, axis: 0), target: take(x, n + ahead - 1..n + ahead - 1 + rows, axis: 0)}
}
