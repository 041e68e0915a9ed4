// Layers that leave things out in training, and nothing otherwise.

/// In training each number is 0 with the probability `rate`, and divided by 1 - rate if not, so that the mean stays (Srivastava et
/// al. 2014); otherwise `x`.
fn dropout(x, rate, train = false) =
  if train and within(rate, 0.0, 1.0) > 0.0 {
    let kept = rand(shape(x)) >= rate
    select(kept, x / (1.0 - rate), zeros_like(x))
  } else {
    x
  }

/// In training all of one example is 0 with the probability `rate`, as `dropout` has single numbers; for the inner part of a
/// `residual` (Huang et al. 2016).
fn drop_path(x, rate, train = false) =
  if train and within(rate, 0.0, 1.0) > 0.0 { x * select(rand() >= rate, 1.0 / (1.0 - rate), 0.0) } else { x }
